// The numbers of refusals by the limits of tokens. token-usage.ts counts them. The admin API shows them with these
// descriptions.

import { z } from 'zod'

export const tokenRefusalsSchema = z.strictObject({
  tunnels: z.int().meta({ description: 'Dials over the limit of tunnels.' }),
  claims: z.int().meta({ description: 'Mounts over the limit of claims.' }),
  announcements: z.int().meta({
    description: 'Announcements and renewals over the rate, and announcements of too much memory.',
  }),
})
export type TokenRefusals = z.infer<typeof tokenRefusalsSchema>
