// Lists of the admin API: pages of 50 out of 100,000 routes, by order, filter and place. Each request also asks for the total.

import { join } from 'node:path'
import { silentLogger } from '@vera-stack/shared/log.ts'
import pg from 'pg'
import { EmbeddedPostgres } from '../../../plugboard/database/embedded/embedded-postgres.ts'
import { migrateDatabase } from '../../../plugboard/database/migration/migrate.ts'
import { PlugboardProcess } from '../../support/programs/plugboard-process.ts'
import { interleaved, type Measurement, type OwnScenarioContext } from '../figures/measurement.ts'
import { percentile } from '../figures/statistics.ts'
import { programOf } from '../program.ts'

const ROUTES = 100_000
const SERVICES = 200
const PAGE = 50
const REQUESTS_PER_SECOND = 100

/** The queries, each with the text of a request. `n`: the number of the request, for other texts and places. */
const QUERIES: Readonly<Record<string, (n: number) => string>> = {
  'first page': () => '',
  'sort=-updatedAt': () => 'sort=-updatedAt',
  'sort=-lastRequestAt': () => 'sort=-lastRequestAt',
  'sort=lastRequestAt': () => 'sort=lastRequestAt',
  'q, one match': n => `q=host-${n % 90_000}-`,
  'q, many matches': n => `q=${n % 10}-`,
  'q, sort=-updatedAt': n => `q=host-${(n % 90) + 10}&sort=-updatedAt`,
  service: n => `service=service-${n % SERVICES}`,
}

export async function measureLists(context: OwnScenarioContext): Promise<Measurement[]> {
  const { processes, options, folder, say } = context
  const log = silentLogger
  const postgres = await EmbeddedPostgres.start({ folder: join(folder, 'postgres'), durable: false, log })
  try {
    await migrateDatabase({ url: postgres.url })
    say(`lists: ${ROUTES} routes are written`)
    await writeRoutes(postgres.url)
    const program = programOf('plugboard', options.source)
    const plugboard = await PlugboardProcess.start({
      processes,
      folder,
      databaseUrl: postgres.url,
      ...program,
    })
    const requests = Math.ceil(REQUESTS_PER_SECOND * options.seconds)
    const targets = new Map(Object.entries(QUERIES))
    let n = 0
    return await interleaved({ targets, say }, `list of ${PAGE}`, options.rounds, async query => {
      const times: number[] = []
      for (let request = 0; request < requests; request += 1) {
        n += 1
        const start = performance.now()
        const page = await plugboard.call<{ items: unknown[]; total: number }>(
          'GET',
          `/v1/routes?limit=${PAGE}&${query(n)}`,
        )
        times.push(performance.now() - start)
        if (page.items.length === 0) throw new Error(`no routes for ${query(n)}`)
      }
      return { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) }
    })
  } finally {
    await postgres.stop()
  }
}

export async function writeRoutes(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(
      `INSERT INTO plugboard.services (name) SELECT 'service-' || n FROM generate_series(0, ${SERVICES - 1}) n`,
    )
    await client.query(`
      INSERT INTO plugboard.routes (host, mount_path, service_id)
      SELECT 'host-' || n || '-of.example.com', '/', (SELECT id FROM plugboard.services WHERE name = 'service-' || n % ${SERVICES})
      FROM generate_series(0, ${ROUTES - 1}) n`)
    await client.query(`
      INSERT INTO plugboard.route_activity (route_id, served_at)
      SELECT id, now() - random() * interval '30 days' FROM plugboard.routes WHERE random() < 0.9`)
    await client.query('ANALYZE')
  } finally {
    await client.end()
  }
}
