// The gRPC backend of the bench, in its own process. Its cost does not count.

import { GrpcBackend } from '../../support/backend/grpc-backend.ts'

console.log(`listening on ${await new GrpcBackend().start()}`)
process.on('SIGTERM', () => process.exit(0))
