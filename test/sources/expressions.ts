/** Expressions that mappings may use, with all that JSONata does to what is missing, single, or a list. */
export const expressions: readonly string[] = [
  // Paths: what is missing, single, nested.
  'a', 'a.b', 'a.b.c', 'a.b.c.d', 'a[0]', 'a[1]', 'a[-1]', 'a[5]', 'a.b[0]', '(a.b)[0]', 'a[0].b', 'a[]', 'a.b[]', 'a[0][]', '$', '$$', '$.a', '$$.a',
  '$[0]', '$[-1]', '$.a.b', 'a.$', 'a.$[0]', 'a.$[1]', 'a.($[0])', 'a.[b, c]', 'a.[b]', '[a].b', '[a, b]', '[[a]]', '[a, [b]]', '[]', 'a.{"x": b}', '{"x": a}',
  '{"x": a.b, "y": c}', '$.{"x": a}', 'a.{"x": $}', '(a).b', '(a; b)', 'a.b.$[0]', 'toString', 'a.constructor', 'length', 'a.length', '"a"', '`a`.b',
  'a[0][0]', 'a[0][1]', 'a[1][0]', 'a[-1][-1]', 'a[0.5][1.9]', 'a[2][2]', 'a.b[0][0]', 'a.b[1]', 'a.b[-1]', 'a.b.c[0]', '`a b`', '`ä`', '`a`.`b`', 'a.`__proto__`', '__proto__', 'a.toString', 'a.x', 'x.y.z',
  'a.(b)', 'a.(b.c)', 'a.(b; c)', '(a.b).c', '((a))', '(a)', '()', 'a.$.b', '$.$', '$$.a.b', 'b', 'c', 'b.c', 'a.c', 'a.b.d', 'a.[$[0], $[1]]', 'a.[$]', '[a.b]', '[[a, b], [c]]', '[a[0], a[1]]',
  '{"x": {"y": a}}', '{"a": a, "b": b, "c": c}', 'a.{"x": b, "y": c}', 'a.{"x": $[0], "y": $[1]}', '{"x": a[0]}', '{}', '[{}]', 'a.{}',
  // Literals.
  '1', '-1', '0', '-0', '1.5', '1e3', '1e-3', '12345678901234567', '0.1', '9007199254740991', '"x"', "'x'", '""', '"\\n"', '"\\u00e4"', '"\\ud83e\\udd8a"', '"\\""', 'true', 'false',
  // Predicates.
  'a[b = 1]', 'a[b = "x"]', 'a[b = "x"].c', 'a[c]', 'a[$ = 1]', 'a[b > 1]', 'a[$exists(b)]', 'a[[0, 1]]', 'a["x"]', 'a[b in ["x", "y"]].c', 'a[0.9]', 'a[true]', 'a[b]',
  'a[false]', 'a[b != 1]', 'a[$ > 1]', 'a[$not(b)]', 'a[b = 1][0]', 'a[b = "x"][0].c', 'a.b[$ > 1]', 'a[$string(b) = "1"]', 'a[-2]', 'a[[1, 0]]', 'a[$[0] = "1"]',
  // Arithmetic, comparison, logic.
  'a + 1', 'a * 1000', 'a - b', 'a / 0', 'a % 2', '-a', '-(a.b)', 'a = b', 'a != b', 'a < b', 'a >= 1', 'a = [1, 2]', 'a in b', 'a in [1, 2, "x"]', 'a and b', 'a or b',
  '$not(a)', '$boolean(a)', 'a ? 1 : 2', 'a ? b', 'a = true ? "s" : a = false ? "b"', 'a ?: b', 'a ?? b', 'a & b', 'a & "x" & 1', '1 + 2 * 3', 'a = null', 'null', 'a.b = 1 ? a',
  'a + b', 'a * b', 'a / b', 'a % b', 'a % 0', '0 / a', '-(-a)', '- a * 2', 'a * -0', '-0 * b', '0 - a', 'a * 0', 'a / 3', 'a * 0.1', 'a + 0.1 + 0.2', '(a + 1) * (b - 1)', 'a * 1e300 * 1e300', 'a / 0 + 1', '1 / (a / 0)', 'a - a',
  'a > b', 'a <= b', 'a > 0', 'a < 0', 'a <= 1', 'a > "a"', 'a < "b"', 'a >= b', 'a = 1', 'a != 1', 'a = "1"', 'a != "x"', 'a = ""', 'a != ""', 'a = true', 'a = false', 'a != true', 'a = 0', 'a = -0', 'a != null', 'a = a', 'a.b = a.c', '1 = 1', '"x" = "y"', 'null = null',
  'a > 1 and b > 1', 'a = 1 or b = 2', 'a and true', 'a or false', 'true and a', 'false or a', 'a = "1.5" and b = "x"', 'a > 1 or b > 1 and a < 5', '(a or b) and a != b', '$not(a = 1)', '$not(a) and b',
  'a > 0 ? a', 'a > 0 ? a : b', 'a > 1 ? "x" : a > 0 ? "y" : "z"', 'a = "x" ? 1 : a = "y" ? 2 : 3', 'a != "" ? $number(a)', 'a = "" ? 0 : $number(a)', 'a ? $number(b) : 0', '(a > 1) = true ? b', 'a > 1 ? b > 1 ? 1 : 2 : 3', 'a = true ? a.b : a', 'a.b ? 1', '(a ? b : a) ? 1 : 2',
  '(a ? 1 : 2) + 1', '-(a ? 1 : b)', '$number(a ? "1" : "2")', '$string(a = 1 ? b : a)', '$exists(a ? b)', '$exists(a ? 1)', '(a > 1 ? a : b) * 2', '(a > 1 ? a : b) > 1', '(a = 1 ? "x" : "y") = "x"', '"x" in a', '1 in a', 'a in "x"', '"a" & a', 'a & ""', 'a.b & a.c',
  // Functions.
  '$number(a)', '$number(a.b)', 'a.$number($)', 'a.$number($[0])', 'a.($number($[1]))', 'a.$number()', '$string(a)', '$string(a.b)', 'a.$string()', '$exists(a)', '$exists(a.b)',
  '$count(a)', '$count(a.b)', '$count([a])', '$sum(a)', '$max(a)', '$min(a)', '$abs(a)', '$floor(a)', '$ceil(a)', '$round(a)', '$round(a, 2)', '$lowercase(a)', '$uppercase(a)',
  '$trim(a)', '$length(a)', '$substring(a, 1)', '$substring(a, 1, 2)', '$substring(a, -2)', '$substringBefore(a, ".")', '$substringAfter(a, "@")', '$contains(a, "x")',
  '$split(a, ".")', '$split(a, ".")[0]', '$split(a, ".", 1)', '$join(a, "-")', '$lookup($, "a")', '$lookup(a, "b")', '$append(a, b)', '$keys(a)', '$merge(a)',
  '$merge([{"x": 1}, a])', '$reverse(a)', '$map(a, function($x) { $x * 2 })', '$map(a, function($x, $i) { $i })', '$map(a, $string)', '$filter(a, function($x) { $x > 1 })',
  '$map(a, function($x) { {"v": $x} })', '$map(a, function($x) { $number($x) })', '$map(a, $number)[0]', '$map(a.b, function($x) { a })',
  '$number(b)', '$number(a) + $number(b)', '$number(a) * 1000', '$number(a) > 0', '$number(a) > 0 ? $number(b)', '$number(a) / $number(b)', '$number(a[0])', '$number(a[0][0])', '$number(a[0][1])', '$number(a[-1])', '$number(a[0.9])', '$number(a.b[0])', '-$number(a)', '$number(-a)', '$number(a = 1)', '$number("5")', '$number("0x1F")', '$number(5)', '$number(null)', '$number($string(a))', '$number($number(a))',
  '$string($number(a))', '$string(a) & "x"', '$string(a) = "1"', '$string(b)', '$string(a + 1)', '$string("x")', '$string(1)', '$string(1.1 * 3)', '$string(null)', '$string(true)', '$string(a = b)', '$string($string(a))', '$string(a[0])',
  '$exists(b)', '$exists(a[0])', '$exists(a[1])', '$exists(a[0][0])', '$exists(a.b.c)', '$exists(x)', '$exists(null)', '$exists(a) and $exists(b)', '$exists(a) ? a : b', '$exists(b) ? b : a', '$exists(a.$number($))', '$exists(a > 1)', '$exists(1)', '$exists("")',
  'a.($number($[0]))', 'a.($number($[0]) * 2)', 'a.($number($[0]) / $number($[1]))', 'a.$number($[1])', 'a.$number($[0.9])', 'a.$number($[-1])', 'a.$string($[0])', 'a.b.$number($[0])', 'a.$number(b)', 'a.(b > 1 ? b : 0)', 'a.(1)', 'a.("x")', 'a.(b * 2)', 'a.(-b)', 'a.$number($[2])', 'a.($[0] = "1" ? 1 : 2)', 'a.(b + c)',
  '$abs(-a)', '$floor(a / 2)', '$round(a * 10)', '$max([a, b])', '$min([1, 2])', '$sum([a, b])', '$count([])', '$length("äöü")', '$uppercase("ß")', '$contains("abc", a)', '$split("a.b", ".")', '$join(["a", "b"])', '$substring("hello", 1, 3)', '$substringBefore("a.b", ".")', '$number($substringBefore(a, "."))', '$trim("  a ")', '$boolean("")', '$boolean([])', '$not("")', '$reverse([1, 2])', '$append([1], 2)', '$merge([{"a": 1}, {"b": 2}])', '$keys({"x": 1})', '$lookup({"x": 1}, "x")',
  // Blocks and variables.
  '($x := a; $x)', '($x := a; $y := $x.b; [$x, $y])', '($x := 1; a.{"v": $x, "w": b})', '($x := a; a[b = $x])', '$symbol', '$received + a', '$number($substringBefore($substringAfter(a, "."), "."))',
  '($x := a; $x + 1)', '($x := $number(a); $x * $x)', '($x := $number(a); $y := $number(b); $x > $y ? $x : $y)', '($x := a; ($x := b; $x))', '($x := a; ($x := b; $x); $x)', '($x := a > 1; $x ? 1 : 2)', '($x := a; b ? ($x := 7; $x) : $x)', '(a > 1; b)', '($number(a); 5)', '($x := $number(a); 5)',
  '($x := b; a.($number($[0]) * $x))', '($x := b; a.$number($[0]))', '($x := a; $x[0])', '($x := a; $x[1])', '($x := a[0]; $x)', '($x := a; $y := $x; $z := $y; $z)', '($x := "v"; $x)', '($x := 1; $y := 2; $x + $y)', '$received', '$received / 1000', '$received > 0', '$symbol = "BTCUSDT"', '$limit', '$limit + 1',
]

/** Messages of every kind that an expression may meet. */
export const messages: readonly unknown[] = [
  {}, null, 0, 7, '', 'x', true, false, [], [1], [1, 2, 3], [[1, 2]], [{ a: 1 }, { a: 2, b: 'x' }], [{ a: [1, 2] }, { a: 3 }],
  { a: 1, b: 2 }, { a: '1.5', b: 'x' }, { a: 'abc.50.X', b: 'x@y' }, { a: '', b: null }, { a: true, b: false }, { a: null, b: [] }, { a: [], b: [1] },
  { a: [1], b: [1, 2, 'x'] }, { a: [3, 1, 2], b: 1 }, { a: ['1', '2.50', '-3e2'], b: '0x1F' }, { a: [['1', '2'], ['3', '4']] }, { a: [['1', '2']] }, { a: [[]] },
  { a: [[], [1]], b: [[]] }, { a: { b: 1, c: 2 }, c: 3 }, { a: { b: [1] } }, { a: { b: [[1, 2], [3]] } }, { a: { b: { c: [1, 2], d: 'e' } } },
  { a: [{ b: 1 }, { b: 2, c: 5 }, { c: 7 }] }, { a: [{ b: 'x', c: 1 }] }, { a: [{ b: 'x', c: 1 }, { b: 'y', c: [2, 3] }, { b: 'x', c: [4] }] },
  { a: [{ b: [1, 2] }, { b: [3] }, { b: [] }] }, { a: [[{ b: 1 }, { b: 2 }], [{ b: 3 }]] }, { a: [null, { b: null }] }, { a: { b: { c: { d: 0 } } } }, { a: 1.005, b: 2.5 },
  { a: 9007199254740993, b: -0.5 }, { a: -2.5 }, { a: 'NaN' }, { a: '1e999' }, { a: ' 1' }, { a: '  a  b ' }, { a: 'äöü.ß' }, { a: '🦊.x.y' }, { a: [true, false] }, { a: [{}, {}] },
  { a: { sequence: true, length: 3 } }, { a: [1, [2, [3]]] }, { a: [1, 1, 1], b: [1, 1, 1] }, { a: { b: 1 }, b: { b: 1 } }, { a: [], b: {} }, { a: [], b: { length: 0 } },
  // What venues send: numbers as such and in quotes, levels, ids.
  { a: '0.00012300', b: '95123.45000000' }, { a: '-0', b: '-1.50' }, { a: -0, b: 0 }, { a: '123456789012345', b: '1234567890123456' }, { a: 999999999999999, b: 1234567890123456 },
  { a: '1', b: '2', c: true }, { a: 'x', b: 'y' }, { a: '007', b: '0.10' }, { a: [['95123.45', '0.5'], ['95123.44', '1']], b: 2 }, { a: [], b: 2 }, { a: [{ b: 1.5, c: 2 }, { b: 3, c: 0 }], b: 1 },
  { a: [{ b: '1' }, { b: '2' }] }, { a: false, b: '5' }, { a: 2, b: true }, { a: { b: '1.5', c: '0' }, b: 'x' }, { a: { b: true, c: false } }, { a: ['1', '2'], b: '3' }, { a: 1e21, b: 1e-7 }, { a: '0.1234567890123456789' },
]

/**
 * JSON texts that only a text can be: numbers in other writings, escapes, and what JSON.stringify would not write.
 */
export const texts: readonly string[] = [
  '{"a":1e3,"b":2E-1}', '{"a":-0,"b":-0.0}', '{"a":0.10,"b":1.0}', '{"a":12345678901234567890,"b":0.30000000000000004}', '{"a":"\\u0031","b":"x"}', '{"\\u0061":1,"b":2}', '{"a":"\\ud83e\\udd8a","b":"\\n"}', '{"a":1,"a":2,"b":3}',
  ' { "a" : 1 , "b" : 2 } ', '{"a":1,"__proto__":{"b":2}}', '{"b":2,"a":1}', '{"x":[1,{"y":[]}],"a":"5","b":"7"}', '{"a":[["1","2"],["3","4"]],"b":3,"c":[]}', '{"a":{"b":"1","a":{"b":"2"}},"b":"3"}',
]
