// `telephone`, as the next release may be.

import './hooks.ts'

await import('../../../telephone/main.ts')
