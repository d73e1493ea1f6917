/* Times cblas_sgemm of any BLAS from C, so that no interpreter is in the figures. blas.mjs builds and drives it.
 *
 *   blas LIB check            one product of each kind against double: prints {"wrong": n, "core": ..., "openblas" or "blis": version}
 *   blas LIB probe            prints {"gflops": ...} of a 512 product
 *   blas LIB time BUDGET SEED a work a line on stdin, `name batch m n k transA transB`; prints one JSON object each
 *
 * A sample is as many products as fill a millisecond; samples are taken for BUDGET milliseconds, 5 at least, 300 at most.
 */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112, MIN_SAMPLES = 5, MAX_SAMPLES = 300 };

typedef void (*Sgemm)(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
typedef char *(*Text)(void);
typedef int (*Id)(void);
typedef char *(*TextOf)(int);

static Sgemm sgemm;
static uint64_t state = 1;

/* Uniform in [-1, 1): xorshift64. */
static float uniform(void) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (float)(state >> 40) / (float)(1 << 23) - 1.0f;
}

static float *matrix(size_t count) {
  float *p = aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
  if (!p) exit(3);
  for (size_t i = 0; i < count; i++) p[i] = uniform();
  return p;
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

typedef struct {
  int batch, m, n, k, trans_a, trans_b;
  const float *a, *b;
  float *c;
} Product;

static Product product(int batch, int m, int n, int k, int trans_a, int trans_b) {
  return (Product){batch, m, n, k, trans_a, trans_b, matrix((size_t)batch * m * k), matrix((size_t)batch * k * n),
                   matrix((size_t)batch * m * n)};
}

static void discard(Product *p) { free((void *)p->a), free((void *)p->b), free(p->c); }

static void multiply(const Product *p) {
  const size_t mk = (size_t)p->m * p->k, kn = (size_t)p->k * p->n, mn = (size_t)p->m * p->n;
  for (size_t i = 0; i < (size_t)p->batch; i++)
    sgemm(ROW_MAJOR, p->trans_a ? TRANS : NO_TRANS, p->trans_b ? TRANS : NO_TRANS, p->m, p->n, p->k, 1.0f,
          p->a + i * mk, p->trans_a ? p->m : p->k, p->b + i * kn, p->trans_b ? p->k : p->n, 0.0f, p->c + i * mn, p->n);
}

/* How many elements leave the bound c * (sqrt(k) + 4) * 2^-24 * |A||B| with c = 8; NaN counts. */
static int wrong_elements(const Product *p) {
  int wrong = 0;
  for (int i = 0; i < p->m; i++)
    for (int j = 0; j < p->n; j++) {
      double sum = 0, size = 0;
      for (int l = 0; l < p->k; l++) {
        const double a = p->trans_a ? p->a[(size_t)l * p->m + i] : p->a[(size_t)i * p->k + l];
        const double b = p->trans_b ? p->b[(size_t)j * p->k + l] : p->b[(size_t)l * p->n + j];
        sum += a * b, size += fabs(a * b);
      }
      const double bound = 8 * (sqrt(p->k) + 4) * ldexp(1, -24) * size;
      if (!(fabs(p->c[(size_t)i * p->n + j] - sum) <= bound)) wrong++;
    }
  return wrong;
}

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Fills `ms` with the sorted times of one product; gives the number of samples. */
static int sample(const Product *p, double budget, double ms[MAX_SAMPLES]) {
  multiply(p);
  double start = now_ms();
  multiply(p);
  const double once = now_ms() - start;
  const int inner = once < 1 ? (int)ceil(1 / fmax(once, 1e-5)) : 1;
  for (start = now_ms(); now_ms() - start < budget / 10;) multiply(p);
  const double end = now_ms() + budget;
  int count = 0;
  while (count < MAX_SAMPLES && (count < MIN_SAMPLES || now_ms() < end)) {
    start = now_ms();
    for (int i = 0; i < inner; i++) multiply(p);
    ms[count++] = (now_ms() - start) / inner;
  }
  qsort(ms, count, sizeof *ms, by_size);
  return count;
}

static const char *text(void *lib, const char *name) {
  Text f;
  *(void **)&f = dlsym(lib, name);
  return f ? f() : "";
}

/* The name of the kernels it chose: both libraries have a function for it. */
static const char *core(void *lib) {
  Id id;
  TextOf name;
  *(void **)&id = dlsym(lib, "bli_arch_query_id");
  *(void **)&name = dlsym(lib, "bli_arch_string");
  return id && name ? name(id()) : text(lib, "openblas_get_corename");
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  void *lib = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
  if (!lib) return fprintf(stderr, "%s\n", dlerror()), 2;
  *(void **)&sgemm = dlsym(lib, "cblas_sgemm");
  if (!sgemm) return fprintf(stderr, "%s has no cblas_sgemm\n", argv[1]), 2;
  double ms[MAX_SAMPLES];

  if (!strcmp(argv[2], "check")) {
    /* The sizes reach whole tiles and their edges; the larger one reaches the threads. */
    static const int sizes[][3] = {{33, 65, 129}, {257, 193, 385}, {1, 1000, 300}};
    int wrong = 0;
    for (int s = 0; s < 3; s++)
      for (int trans = 0; trans < 3; trans++) {
        Product p = product(1, sizes[s][0], sizes[s][1], sizes[s][2], trans == 2, trans == 1);
        multiply(&p);
        wrong += wrong_elements(&p);
        discard(&p);
      }
    printf("{\"wrong\":%d,\"core\":\"%s\",\"openblas\":\"%s\",\"blis\":\"%s\"}\n", wrong, core(lib),
           text(lib, "openblas_get_config"), text(lib, "bli_info_get_version_str"));
    return 0;
  }
  if (!strcmp(argv[2], "probe")) {
    Product p = product(1, 512, 512, 512, 0, 0);
    const int count = sample(&p, 100, ms);
    printf("{\"gflops\":%.1f}\n", 2 * 512.0 * 512 * 512 / ms[count / 2] / 1e6);
    return 0;
  }
  const double budget = atof(argv[3]);
  state = strtoull(argv[4], NULL, 10) * 0x9E3779B97F4A7C15u | 1;
  char name[128];
  int batch, m, n, k, trans_a, trans_b;
  while (scanf("%127s %d %d %d %d %d %d", name, &batch, &m, &n, &k, &trans_a, &trans_b) == 7) {
    Product p = product(batch, m, n, k, trans_a, trans_b);
    const int count = sample(&p, budget, ms);
    printf("{\"work\":\"%s\",\"msMedian\":%.6g,\"msMin\":%.6g,\"msMax\":%.6g,\"samples\":%d}\n", name, ms[count / 2], ms[0],
           ms[count - 1], count);
    fflush(stdout);
    discard(&p);
  }
  return 0;
}
