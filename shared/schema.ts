// zod, for packages that describe a part of their YAML file (settings/row.ts, `structure`) and do not carry it as
// a dependency of their own.

export { z } from 'zod'
