// Asks a server for a page again and again, over one connection and with pauses, until its parent says stop, and then tells
// how long each answer took, ms. Run by src/bench/event_loop.ts in a process of its own.
import { Agent, get } from 'node:http';

const PAUSE_MS = 2;
const [, , url] = process.argv;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const times = [];
let going = true;
process.on('message', () => {
  going = false;
});
process.on('disconnect', () => process.exit());

const ask = () =>
  new Promise((done, failed) => {
    const start = performance.now();
    get(url, { agent }, (response) => {
      response.resume();
      response.on('end', () => {
        times.push(performance.now() - start);
        done();
      });
    }).on('error', failed);
  });

await ask(); // the first one connects
times.length = 0;
process.send('ready');
while (going) {
  await ask();
  await new Promise((done) => setTimeout(done, PAUSE_MS));
}
process.send(times, () => process.exit());
