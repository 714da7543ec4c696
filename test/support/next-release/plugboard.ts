// Starts `plugboard` as a possible next release.

import './hooks.ts'

await import('../../../plugboard/main.ts')
