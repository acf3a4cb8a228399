import type { Described, DescribedNode } from '../../graph/describe.ts'

/** A box of a picture: a market with its channels, an operator, or a topic with what stores it. */
export interface Box {
  readonly kind: 'source' | 'operator' | 'topic'
  readonly title: string
  /** Channels of a market, engines behind a topic. */
  readonly lines: readonly string[]
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Where an edge passes: a straight piece within a column, bends between them. */
export interface Edge {
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Layout {
  readonly boxes: readonly Box[]
  readonly edges: readonly Edge[]
  /** Where each column of boxes begins: markets first, topics last. */
  readonly columns: readonly number[]
  readonly width: number
  readonly height: number
}

/** What stands in a column; one without a title is an edge on its way through it. */
interface Place {
  readonly id: string
  readonly kind: Box['kind']
  readonly title: string
  readonly lines: readonly string[]
  readonly column: number
  readonly height: number
  readonly from: readonly string[]
  y: number
}

const LINE = 20
const TITLE = 30
const BESIDE = 24
const BETWEEN = 54
/** A letter of a bold title is this wide at most, in the fonts that pages have. */
const LETTER = 8.3
const SMALL_LETTER = 6.8
const SWEEPS = 6

/**
 * The graph as its author wrote it, from left to right: kt's own topics and the `sequence` steps that the
 * plan puts in are left out. Boxes stand in columns by their distance from the markets, near to what feeds
 * them; an edge over several columns keeps a place of its own in each, so that it runs through no box.
 */
export const layout = ({ nodes }: Described): Layout => {
  const places = placesOf(nodes)
  const byId = new Map(places.map((place) => [place.id, place]))
  const columns = Array.from({ length: Math.max(...places.map(({ column }) => column)) + 1 }, (_, column) =>
    places.filter((place) => place.column === column),
  )
  settle(columns, byId)
  const top = Math.min(...places.map(({ y, height }) => y - height / 2))
  for (const place of places) place.y -= top
  const widths = columns.map((column) => Math.max(0, ...column.map(widthOf)))
  const lefts = widths.map((_, at) => widths.slice(0, at).reduce((sum, width) => sum + width + BETWEEN, 0))
  const boxes = places.filter(({ title }) => title !== '').map((place) => boxOf(place, lefts, widths))
  const last = widths.length - 1
  return {
    boxes,
    edges: places.flatMap((place) => (place.title === '' ? [] : edgesTo(place, byId, lefts, widths))),
    columns: lefts,
    width: lefts[last]! + widths[last]!,
    height: Math.max(...boxes.map(({ y, height }) => y + height)),
  }
}

const placesOf = (nodes: readonly DescribedNode[]): readonly Place[] => {
  const named = new Map(nodes.map((node) => [node.name, node]))
  const shown = nodes.filter(
    ({ kind, name }) =>
      (kind === 'operator' && !name.startsWith('sequence.')) || (kind === 'topic' && !name.startsWith('kt.')),
  )
  const fed = (name: string): readonly string[] =>
    name.startsWith('sequence.') ? (named.get(name)?.from ?? []).flatMap(fed) : [name]
  const froms = new Map(shown.map(({ name, from }) => [name, [...new Set(from.flatMap(fed))]]))
  const depth = (name: string): number => 1 + Math.max(-1, ...(froms.get(name) ?? []).map(depth))
  const operators = shown.filter(({ kind }) => kind === 'operator').map(({ name }) => depth(name))
  const last = Math.max(0, ...operators) + 1
  const boxes = shown.map(({ name, kind }): Place => {
    const engines = nodes.filter((one) => one.kind === 'sink' && one.from.includes(name)).map(engineOf)
    const lines = kind === 'topic' ? [...new Set(engines)] : []
    const read = shown.some((one) => one.kind === 'operator' && froms.get(one.name)!.includes(name))
    const column = kind === 'topic' && !read ? last : depth(name)
    const is = kind === 'topic' ? 'topic' : 'operator'
    return { id: name, kind: is, title: name, lines, column, height: TITLE, from: froms.get(name)!, y: 0 }
  })
  return [...marketsOf(nodes), ...boxes.flatMap((box) => [...passages(box, depth), box])]
}

const engineOf = ({ name }: DescribedNode): string => (name.startsWith('lake.') ? 'lake' : 'ClickHouse')

/** A box for each market, and a place for each of its channels, which edges begin at. */
const marketsOf = (nodes: readonly DescribedNode[]): readonly Place[] => {
  const channels = nodes.filter(({ kind }) => kind === 'source').map(({ name }) => name)
  const markets = Map.groupBy(channels, (name) => name.slice(0, name.lastIndexOf('.')))
  return [...markets].map(([title, names]): Place => {
    const lines = names.map((name) => name.slice(title.length + 1))
    const height = TITLE + lines.length * LINE + 4
    return { id: title, kind: 'source', title, lines, column: 0, height, from: [], y: 0 }
  })
}

/** The places of the edges that lead to a box from further left than the column before it. */
const passages = (box: Place, depth: (name: string) => number): readonly Place[] =>
  box.from.flatMap((from) =>
    Array.from({ length: Math.max(0, box.column - depth(from) - 1) }, (_, i): Place => {
      const column = depth(from) + 1 + i
      const before = i === 0 ? from : passage(from, box.id, column - 1)
      const id = passage(from, box.id, column)
      return { ...box, id, title: '', lines: [], column, height: 6, from: [before] }
    }),
  )

const passage = (from: string, to: string, column: number): string => `${from} > ${to} @ ${column}`

/** Markets below each other; then each column near to its neighbours, again and again, until it is calm. */
const settle = (columns: readonly (readonly Place[])[], byId: ReadonlyMap<string, Place>): void => {
  let y = 0
  for (const market of columns[0]!) {
    market.y = y + market.height / 2
    y += market.height + BESIDE / 2
  }
  const below = new Map<string, Place[]>()
  for (const place of columns.flat())
    for (const from of before(place, byId)) below.set(from, [...(below.get(from) ?? []), place])
  for (let sweep = 0; sweep < SWEEPS; sweep++)
    for (const column of columns.slice(1)) {
      const wanted = new Map(
        column.map((place) => {
          const left = before(place, byId).map((from) => outOf(from, byId))
          const right = sweep === 0 ? [] : (below.get(place.id) ?? []).map((one) => one.y)
          return [place, mean([...left, ...right], place.y)]
        }),
      )
      stack(column, wanted)
    }
}

const stack = (column: readonly Place[], wanted: ReadonlyMap<Place, number>): void => {
  const order = column.toSorted((a, b) => wanted.get(a)! - wanted.get(b)!)
  let bottom = Number.NEGATIVE_INFINITY
  for (const place of order) {
    place.y = Math.max(wanted.get(place)!, bottom + BESIDE + place.height / 2)
    bottom = place.y + place.height / 2
  }
  const shift = mean(
    order.map((place) => wanted.get(place)! - place.y),
    0,
  )
  for (const place of order) place.y += shift
}

const mean = (values: readonly number[], otherwise: number): number =>
  values.length === 0 ? otherwise : values.reduce((sum, value) => sum + value, 0) / values.length

/** What stands left of a place and feeds it: the node itself, or the last place of the edge from it. */
const before = (place: Place, byId: ReadonlyMap<string, Place>): readonly string[] =>
  place.from.map((from) => {
    const through = passage(from, place.id, place.column - 1)
    return place.title !== '' && byId.has(through) ? through : from
  })

/** Where an edge leaves: the middle of a box, or the line of a channel. */
const outOf = (id: string, byId: ReadonlyMap<string, Place>): number => {
  const place = byId.get(id)
  if (place !== undefined) return place.y
  const market = byId.get(id.slice(0, id.lastIndexOf('.')))!
  const line = market.lines.indexOf(id.slice(market.id.length + 1))
  return market.y - market.height / 2 + TITLE + LINE * (line + 0.5)
}

const widthOf = ({ title, kind, lines }: Place): number => {
  if (title === '') return 0
  const behind = kind === 'topic' ? 18 + lines.join(' · ').length * SMALL_LETTER : 0
  const widest =
    kind === 'source' ? Math.max(title.length, ...lines.map((line) => line.length)) : title.length
  return Math.ceil(widest * LETTER + 26 + behind)
}

const boxOf = (place: Place, lefts: readonly number[], widths: readonly number[]): Box => {
  const { kind, title, lines, column, height } = place
  const width = kind === 'operator' ? widthOf(place) : widths[column]!
  return { kind, title, lines, height, width, x: lefts[column]!, y: place.y - height / 2 }
}

const edgesTo = (
  place: Place,
  byId: ReadonlyMap<string, Place>,
  lefts: readonly number[],
  widths: readonly number[],
): readonly Edge[] =>
  before(place, byId).map((first) => {
    const points: (readonly [number, number])[] = [[lefts[place.column]!, place.y]]
    let id = first
    for (let at = byId.get(id); at !== undefined && at.title === ''; at = byId.get(id)) {
      points.unshift([lefts[at.column]!, at.y], [lefts[at.column]! + widths[at.column]!, at.y])
      id = at.from[0]!
    }
    const from = byId.get(id)
    const right = from === undefined ? widths[0]! : lefts[from.column]! + widthOf(from)
    return { points: [[right, outOf(id, byId)], ...points] }
  })
