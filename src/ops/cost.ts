/** What an op must do at least: arithmetic operations, and bytes each operand moves once. */
export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}
