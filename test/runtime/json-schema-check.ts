type Schema = Readonly<Record<string, unknown>>

/** What of a value does not fit a JSON Schema, of the few words that kt's own have. */
export const fits = (schema: unknown, value: unknown, at = ''): readonly string[] => {
  const { type, enum: values, minimum, maximum, properties = {}, required = [], items } = schema as Schema
  if (Array.isArray(values)) return values.includes(value) ? [] : [`${at} is ${String(value)}`]
  const types = [type].flat()
  if (!types.some((one) => isOf(one, value))) return [`${at} is not ${types.join(' or ')}`]
  if (typeof value === 'number') {
    const beyond = value < Number(minimum ?? -Infinity) || value > Number(maximum ?? Infinity)
    return beyond ? [`${at} is ${value}`] : []
  }
  if (Array.isArray(value)) return value.flatMap((one, i) => fits(items, one, `${at}[${i}]`))
  if (value === null || typeof value !== 'object') return []
  const known = properties as Readonly<Record<string, unknown>>
  return [
    ...(required as readonly string[])
      .filter((name) => !(name in value))
      .map((name) => `${at}.${name} is missing`),
    ...Object.entries(value).flatMap(([name, one]) =>
      name in known ? fits(known[name], one, `${at}.${name}`) : [`${at}.${name} is not known`],
    ),
  ]
}

const isOf = (type: unknown, value: unknown): boolean => {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return typeof value === type
}
