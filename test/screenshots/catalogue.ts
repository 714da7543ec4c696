// The services of the pictures: 40, with names, hosts and traffic as in a company, and some with faults.

export interface PicturedService {
  readonly name: string
  readonly mount: string
  /** Requests a second. */
  readonly rate: number
  readonly backend: BackendKind
  /** The telephones that serve it; empty: none. */
  readonly telephones: readonly string[]
  readonly policy?: object
  readonly options?: object
}

/** `flaky` fails a part of the requests, `closed` refuses connections. */
export type BackendKind = 'quick' | 'slow' | 'flaky' | 'closed'

export const TELEPHONES = [
  'fra-web-1',
  'fra-web-2',
  'fra-batch-1',
  'iad-web-1',
  'iad-web-2',
  'lab-laptop',
] as const
/** The telephone whose backends fail. Its processes are ejected. */
export const FAILING_TELEPHONE = 'iad-web-2'

const [FRA1, FRA2, BATCH, IAD1, IAD2, LAB] = TELEPHONES
const WEB = [FRA1, FRA2, IAD1]

const NAMED: readonly PicturedService[] = [
  {
    name: 'checkout',
    mount: 'shop.example.com/checkout',
    rate: 6,
    backend: 'quick',
    telephones: [FRA1, FRA2, IAD1, IAD2],
    policy: { outlier: { consecutive: 3 } },
  },
  {
    name: 'storefront',
    mount: 'www.example.com',
    rate: 12,
    backend: 'quick',
    telephones: WEB,
    policy: { rateLimits: [{ name: 'visitors', limit: 600, windowSeconds: 60 }] },
  },
  {
    name: 'search',
    mount: 'shop.example.com/search',
    rate: 5,
    backend: 'slow',
    telephones: WEB,
    policy: { balancing: 'peak_ewma' },
  },
  {
    name: 'public-api',
    mount: 'api.example.com',
    rate: 8,
    backend: 'quick',
    telephones: WEB,
    options: {
      rateLimits: [
        { name: 'burst', limit: 2, windowSeconds: 1, key: [{ header: 'X-API-Key' }] },
        {
          name: 'plan',
          limit: 10_000,
          windowSeconds: 86_400,
          key: [{ header: 'X-API-Key' }],
          enforce: false,
        },
      ],
      cors: { origins: ['https://app.example.com'] },
    },
  },
  {
    name: 'recommendations',
    mount: 'shop.example.com/recommendations',
    rate: 3,
    backend: 'flaky',
    telephones: WEB,
  },
  { name: 'invoices', mount: 'billing.example.com', rate: 1, backend: 'slow', telephones: [BATCH] },
  { name: 'legacy-erp', mount: 'erp.example.com', rate: 0.5, backend: 'closed', telephones: [BATCH] },
  { name: 'warehouse-scanner', mount: 'scan.example.com', rate: 0.5, backend: 'quick', telephones: [] },
  {
    name: 'a-service-with-the-longest-name-that-someone-could-want-to-give',
    mount: 'a-long-host-name-of-a-preview-deployment-4711.preview.eu-central.example.com/with/a/long/mount',
    rate: 0.5,
    backend: 'quick',
    telephones: [LAB],
  },
]

const ORDINARY =
  'accounts addresses analytics audit avatars cart catalogue chat coupons currency documents exports feedback files graphql identity images ledger maps notifications orders payments pricing profiles reports reviews shipping stock support taxes tracking'

export const SERVICES: readonly PicturedService[] = [
  ...NAMED,
  ...ORDINARY.split(' ').map((name, index) => ({
    name,
    mount: `${name}.example.com`,
    rate: 0.3 + ((index * 7) % 11) / 10,
    backend: 'quick' as const,
    telephones: [TELEPHONES[index % 4] ?? FRA1],
  })),
]
