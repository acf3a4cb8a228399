/** A kept row with its lists as arrays, as tests write them. */
export const listed = <E extends object>(row: E): E =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, value instanceof Float64Array ? [...value] : value]),
  ) as E
