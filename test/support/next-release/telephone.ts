// Starts `telephone` as a possible next release.

import './hooks.ts'

await import('../../../telephone/main.ts')
