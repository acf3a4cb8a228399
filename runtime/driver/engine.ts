import { setFlagsFromString } from 'node:v8'

/**
 * Let the compiler put all that a message goes through into one piece of code: between a socket and a column
 * lie some twenty small functions, more than V8 joins by itself. Worth a tenth of a message's time (bench/
 * README.md). To be called before messages come; a version of V8 without the setting goes on as it is.
 */
export const joinHotCode = (): void => setFlagsFromString('--max-inlined-bytecode-size-cumulative=4000')
