// Combines the query modules into the `Store` that the rest of Plugboard uses.

import type { SqlRunner } from '../sql-runner.ts'
import { createAdminKeyStore } from './admin-keys.ts'
import { copyRows } from './bundle/bundle-copy.ts'
import { writeBundle } from './bundle/bundle-write.ts'
import { createCertificateStore } from './certificates.ts'
import { createChangeStore } from './changes/changes.ts'
import { createInspectionStore } from './inspections.ts'
import { createLeaseStore } from './leases.ts'
import { createLimitUsageStore } from './limit-usage.ts'
import { createProcessOverrideStore } from './process-overrides.ts'
import { createReplicaStore } from './replicas.ts'
import { claimMount } from './routes/claim-mount.ts'
import { createRouteActivityStore } from './routes/route-activity.ts'
import { createRouteStore } from './routes/routes.ts'
import { createServiceStore } from './services.ts'
import { createSigningKeyStore } from './signing-keys.ts'
import type { Store } from './store.ts'
import { createTokenStore } from './tokens.ts'

export function createStore(runner: SqlRunner): Store {
  return {
    services: createServiceStore(runner),
    routes: createRouteStore(runner),
    tokens: createTokenStore(runner),
    signingKeys: createSigningKeyStore(runner),
    adminKeys: createAdminKeyStore(runner),
    changes: createChangeStore(runner),
    replicas: createReplicaStore(runner),
    routeActivity: createRouteActivityStore(runner),
    leases: createLeaseStore(runner),
    limitUsage: createLimitUsageStore(runner),
    certificates: createCertificateStore(runner),
    inspections: createInspectionStore(runner),
    processOverrides: createProcessOverrideStore(runner),
    bundles: {
      copy: request => copyRows(runner, request),
      write: (differences, bundle, by) => writeBundle(runner, differences, bundle, by),
    },
    claimMount: claim => claimMount(runner, claim),
  }
}
