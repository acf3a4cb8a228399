import { onTestFinished } from 'vitest'
import { closing, frame, serve, welcome } from './websocket-world.ts'
import type { Guest } from './websocket-world.ts'

/** A server that is there for the length of a test; where it is. */
export const host = async (
  greet: (guest: Guest) => void,
  create?: Parameters<typeof serve>[1],
): Promise<string> => {
  const { port, close } = await serve(greet, create)
  onTestFinished(close)
  return `127.0.0.1:${port}`
}

/** The address of its WebSocket, without TLS. */
export const plain = async (greet: (guest: Guest) => void): Promise<string> => `ws://${await host(greet)}`

/** Agrees, says hello and goodbye. */
export const hello = ({ socket, head }: Guest): void => {
  socket.write(Buffer.concat([Buffer.from(welcome(head)), frame(1, 'hello'), closing(1000)]))
}
