// The numbers of refusals by the limits of tokens. token-usage.ts counts them. The admin API shows them with these
// descriptions.

import { z } from 'zod'

export const tokenRefusalsSchema = z.strictObject({
  tunnels: z
    .int()
    .meta({ description: 'Connections that Plugboard refused because of the limit of tunnels.' }),
  claims: z.int().meta({ description: 'Mounts that Plugboard refused because of the limit of claims.' }),
  announcements: z.int().meta({
    description: 'Announcements and renewals over the rate, and announcements that need too much memory.',
  }),
})
export type TokenRefusals = z.infer<typeof tokenRefusalsSchema>
