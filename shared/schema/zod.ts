// Exports zod for packages that describe a part of their YAML file (settings/row.ts, `structure`) without a dependency on zod.

export { z } from 'zod'
