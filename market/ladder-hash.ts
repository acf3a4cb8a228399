const double = new Float64Array(1)
const halves = new Int32Array(double.buffer)

/** 32 well-mixed bits of a double in a list, the same for both zeros. */
export const hashOf = (values: ArrayLike<number>, index: number): number => {
  double[0] = values[index]! + 0
  const mixed = Math.imul(halves[0]! ^ Math.imul(halves[1]!, 0x9e3779b1), 0x85ebca6b)
  return mixed ^ (mixed >>> 15)
}
