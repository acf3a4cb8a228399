import { z } from 'zod'

/** The schema registry of a run. Of the password only where it is: a run writes this down. */
export const registryPlace = z.object({
  url: z.string(),
  user: z.string().optional(),
  passwordFile: z.string().optional(),
  ca: z.string().optional(),
  cert: z.string().optional(),
  key: z.string().optional(),
})
export type RegistryPlace = z.infer<typeof registryPlace>
