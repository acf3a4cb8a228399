import { differs } from './literal.ts'
import type { Leaf } from './shape.ts'
import type { Use } from './use.ts'

/*
 * Pieces of a scanner's code. Its variables: `b` the bytes and `v` their view, `i` where it is, `end` where
 * the message ends; `d` has a high bit set when some of the digits read were none; `P` powers of ten, `I`
 * the same as integers. What reads a value leaves it in variables of its use: `n_` the number, `s_` and `e_`
 * where it begins and ends, `f_` the flag; `l_` is how many digits it had the last time, `p_` ten to that,
 * `t_` the same of those behind the fourth.
 */

/** Compare what is the same in all messages, and pass it. */
export const passCode = (literal: string): string =>
  literal === '' ? '' : `if(${differs(literal)})return -1;i+=${literal.length};\n`

/** Pass a value that nobody reads. */
export const skipCode = ({ kind, example }: Leaf): string => {
  if (kind === 'flag') return flagCode('d')
  if (kind === 'number') return SKIP_NUMBER
  // Most texts that nobody reads are the same in all messages.
  if (example === '' || example.length > SAME_MAX) return SKIP_TEXT
  return `if(${differs(`${example}"`)}){${SKIP_TEXT}}else i+=${example.length};`
}

const SAME_MAX = 32

/** Read a leaf for all that it is used for. */
export const readCode = ({ kind, example }: Leaf, use: Use): string => {
  const { name, text } = use
  if (kind === 'flag') return flagCode(`f${name}`)
  const [begin, end] = text ? [`s${name}=i;`, `e${name}=i;`] : ['', '']
  if (kind === 'number') {
    // As a text it must be what `$string` makes of it: a whole number that is written out.
    const written = text ? 'if(y!==z||G[1]!==0)return -1;' : ''
    // Zeros before a number are no JSON.
    const json = `y=b[z]===45?z+1:z;${written}if(b[y]===48&&b[y+1]-48>>>0<10)return -1;`
    return `${begin}G[1]=0;${fractional(example) && !text ? decimal(name) : whole(name)}${json}${end}`
  }
  if (!use.number) return `${begin}${SKIP_TEXT}${end}`
  const read = decimal(name)
  return `${begin}${use.empty && !use.strict ? `if(b[i]===34)n${name}=NaN;else{${read}}` : read}${end}`
}

const flagCode = (into: string): string =>
  `if(!(${differs('true')})){${into}=1;i+=4}else if(${differs('false')})return -1;else{${into}=0;i+=5}`

/**
 * Texts are passed four bytes at a time while none of them is a quote, an escape or beyond plain ASCII: each
 * of these sets a high bit in one of the sums, the lowest of them in its own byte.
 */
const SKIP_TEXT =
  'for(;;){t=v.getInt32(i,true);d=((t^0x22222222)-0x01010101|(t^0x5c5c5c5c)-0x01010101|t-0x20202020|' +
  't+0x01010101)&0x80808080;if(d!==0)break;i+=4}i+=(31-Math.clz32(d&-d))>>>3;if(b[i]!==34)return -1;'

const SKIP_NUMBER =
  'z=b[i]===45?i+1:i;y=z;for(;;){t=v.getInt32(y,true)^0x30303030;d=((t+0x76767676)|t)&0x80808080;' +
  'if(d!==0)break;y+=4}y+=(31-Math.clz32(d&-d))>>>3;if(y===z||(b[z]===48&&y-z>1))return -1;' +
  'if(b[y]===46||(b[y]|32)===101){i=numberEnd(b,i);if(i<0)return -1}else i=y;'

/** Four bytes, less 0x30 each, are `t`: whatever is no digit has its high bit set by the sum. */
const word = (at: string): string => `t=v.getInt32(${at},true)^0x30303030;`
const CHECK = 'd|=(t+0x76767676)|t;'
/** Pairs of digits, then of pairs, are joined by one multiplication. */
const JOIN = 't=Math.imul(Math.imul(t,2561)>>>8&0xff00ff,6553601)>>>16;'

/**
 * A decimal with as many digits after its point as the last one had: so it is known where they end, and what
 * follows begins, before they are read. Whatever is not so is read again digit by digit.
 */
const decimal = (name: string): string => {
  const after = `l${name}`
  const four = `${word('i+1')}t=t<<(32-(${after}<<3));${CHECK}${JOIN}`
  const more = `${word('i+5')}t=t<<(64-(${after}<<3));${CHECK}${JOIN}t=Math.imul(u,t${name})+t|0;`
  const eight = `${word('i+1')}${CHECK}${JOIN}u=t;${more}`
  return (
    `z=i;d=-1;n=b[i]^48;if(n<=9){i++;while((y=b[i]^48)<=9){n=Math.imul(n,10)+y|0;i++}` +
    `if(i-z<=7){if(b[i]!==46){n${name}=n;d=0}else{y=i+1+${after};` +
    `if(y<=end){d=0;if(${after}<=4){${four}}else{${eight}}` +
    `n${name}=(n*p${name}+t)/p${name};` +
    `i=y;if(b[i]-46>>>0<12)d=-1}}}}${again(name, `G[1]<1?1:G[1]>8?8:G[1];${tensCode(name)}`)}`
  )
}

/** A whole number with as many digits as the last one had. */
const whole = (name: string): string =>
  `z=i;d=-1;u=i+l${name};if(u<=end){d=0;m=0;for(;u-i>=4;i+=4){${word('i')}${CHECK}${JOIN}m=m*10000+t}` +
  `if(i<u){n=u-i;${word('i')}t=t<<(32-(n<<3));${CHECK}${JOIN}m=m*P[n]+t;i=u}` +
  `n${name}=m;if(b[i]-46>>>0<12||m>=1e15)d=-1}${again(name, 'G[0]')}`

const again = (name: string, guess: string): string =>
  `if((d&0x80808080)!==0){i=readDecimal(b,z,F,G)|0;if(i<0)return -1;n${name}=F[0];l${name}=${guess}}`

/** The powers of ten that a guess comes to. */
export const tensCode = (name: string): string => `p${name}=P[l${name}],t${name}=I[l${name}-4&7]`

/** The first guess at how many digits there are: of a decimal, after its point. */
export const guessOf = ({ kind, example }: Leaf): number => {
  const [whole = '', after = ''] = example.replace('-', '').split('.')
  return kind === 'number' && !fractional(example) ? whole.length : Math.min(Math.max(after.length, 1), 8)
}

const fractional = (example: string): boolean => example.includes('.')
