// The database of a replica: the embedded Postgres or the one of `databaseUrl`, its schema, and its copy in memory, the
// directory.

import { join } from 'node:path'
import { makeFolder } from '../../common/make-folder.ts'
import { folderError } from '../../common/startup-error.ts'
import { databasePlace } from '../../database/connection/database-url.ts'
import type { ServerFacts } from '../../database/connection/server-facts.ts'
import { openDatabase } from '../../database/database.ts'
import { EmbeddedPostgres } from '../../database/embedded/embedded-postgres.ts'
import { SchemaKeeper } from '../../database/migration/schema-keeper.ts'
import type { Store } from '../../database/store/store.ts'
import { createDirectory, type Directory } from '../../routes/directory.ts'
import { VERSION } from '../../version.ts'
import { closePrivateFiles } from '../files/private-files.ts'
import type { ReplicaContext } from '../replica-context.ts'

export interface ReplicaDatabase {
  readonly store: Store
  /** Empty until `startDirectory` has resolved. */
  readonly directory: Directory
  readonly keeper: SchemaKeeper
  /** The database in texts, without user and password. */
  readonly place: string
  readonly serverFacts: () => Promise<ServerFacts>
}

/** Opens the database, and starts the embedded one if the settings name no other. */
export async function openReplicaDatabase(replica: ReplicaContext): Promise<ReplicaDatabase> {
  const { config, log, clock, running } = replica
  await makeDataFolder(replica)
  await closePrivateFiles(config.data, log)
  const url = config.databaseUrl ?? (await startPostgres(replica)).url
  const { databaseConnections: maxConnections, name } = config
  const database = openDatabase({ url, maxConnections, applicationName: `plugboard ${name}` })
  running.add('database', () => database.close())
  const keeper = new SchemaKeeper({ url, migrate: config.migrate, version: VERSION, log })
  const place = config.databaseUrl === undefined ? 'embedded in Plugboard' : databasePlace(url)
  const directory = createDirectory({
    database: {
      // The directory reads only from a schema that fits this version.
      openChangeFeed: async () => {
        await keeper.check()
        return await database.openChangeFeed()
      },
    },
    databasePlace: place,
    snapshotFile: join(config.data, 'snapshot.json'),
    log,
    clock,
  })
  const serverFacts = () => database.serverFacts(() => clock.wallTime())
  return { store: database.store, directory, keeper, place, serverFacts }
}

/** Loads routes, services and keys, from the database or from the snapshot file. */
export async function startDirectory(replica: ReplicaContext, parts: ReplicaDatabase): Promise<void> {
  const { running, startSignal, log } = replica
  const { keeper, directory } = parts
  running.add('schema', () => keeper.stop())
  await keeper.start()
  running.add('directory', () => directory.stop())
  startSignal?.throwIfAborted()
  const source = await directory.start(startSignal)
  log.info('routes loaded', { detail: source, count: directory.routeCount })
  startSignal?.throwIfAborted()
}

/** Creates the data folder for the snapshot file. With an embedded Postgres, Postgres itself creates the folder. */
async function makeDataFolder({ config: { data, databaseUrl } }: ReplicaContext): Promise<void> {
  if (databaseUrl === undefined) return
  try {
    await makeFolder(data, 0o700)
  } catch (error) {
    throw folderError(data, error)
  }
}

async function startPostgres({ config, log, running }: ReplicaContext): Promise<EmbeddedPostgres> {
  const postgres = await EmbeddedPostgres.start({ folder: join(config.data, 'postgres'), log })
  running.add('embedded database', () => postgres.stop())
  return postgres
}
