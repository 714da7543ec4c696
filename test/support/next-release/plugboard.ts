// `plugboard`, as the next release may be.

import './hooks.ts'

await import('../../../plugboard/main.ts')
