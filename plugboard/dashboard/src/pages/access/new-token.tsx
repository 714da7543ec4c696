// The form of a new token. A dry run checks it while the person types, and a sentence shows what the token permits.

import { useEffect, useState } from 'preact/hooks'
import type { IssuedTokenBody, ServiceBody } from '../../../../admin/api-types.ts'
import { ApiError, get, request } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { CreateDialog } from '../../forms/create-dialog.tsx'
import { Field } from '../../forms/field.tsx'
import { may } from '../../session/session.ts'
import type { ListPage } from '../../tables/use-list.ts'
import { IssuedToken } from './issued-token.tsx'
import { scopeSentence } from './scope-sentence.ts'

const words = (text: string): string[] => text.split(/[\s,]+/).filter(word => word !== '')
const CHECK_MS = 300
const LIFETIMES = ['1h', '24h', '30d', '365d'] as const

export function NewToken({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('')
  const [services, setServices] = useState('')
  const [mounts, setMounts] = useState('')
  const [ttl, setTtl] = useState('30d')
  const [issued, setIssued] = useState<IssuedTokenBody | undefined>(undefined)
  const known = useQuery<ListPage<ServiceBody>>('names of services', signal =>
    may('services:read') ? get('/v1/services', { limit: 100 }, signal) : Promise.resolve(NO_SERVICES),
  )
  const body = { name, services: words(services), mounts: words(mounts), ttl }
  const checked = useDryRun(body)
  if (issued !== undefined) return <IssuedToken token={issued} onClose={onClose} />
  const create = async (): Promise<void> => {
    setIssued((await request<IssuedTokenBody>('POST', '/v1/tokens', { body })).body)
  }
  const { text, isBroad } = scopeSentence(body.services, body.mounts)
  return (
    <CreateDialog title="Issue a token" submit="Issue" create={create} onClose={onClose}>
      {sent => {
        const error = checked ?? sent
        return (
          <>
            <Field
              name="name"
              label="Name of the telephone"
              value={name}
              onInput={setName}
              error={error}
              required
              placeholder="web-1"
            />
            <Field
              name="services"
              label="Services that it may serve"
              value={services}
              onInput={setServices}
              error={error}
              placeholder="web shop-*"
              suggestions={known.data?.items.map(service => service.name)}
            />
            <Field
              name="mounts"
              label="Mounts that it may claim"
              value={mounts}
              onInput={setMounts}
              error={error}
              placeholder="web.example.com *.t.example.com"
            />
            <Field
              name="ttl"
              label="Lifetime"
              value={ttl}
              onInput={setTtl}
              error={error}
              required
              placeholder="30d"
              suggestions={LIFETIMES}
            />
            <div class="notice" data-tone={isBroad ? 'warn' : undefined} role="status">
              {text} A connected telephone renews its token, so the token expires only when the telephone is
              not connected for a long time.
            </div>
          </>
        )
      }}
    </CreateDialog>
  )
}

const NO_SERVICES: ListPage<ServiceBody> = { items: [], next: null }

/** Returns the problem that the API would report now. */
function useDryRun(body: { readonly name: string }): ApiError | undefined {
  const [error, setError] = useState<ApiError | undefined>(undefined)
  const text = JSON.stringify(body)
  useEffect(() => {
    const controller = new AbortController()
    const { signal } = controller
    const timer = setTimeout(() => {
      // An empty name shows no problem until the person types.
      if (body.name === '') return
      request('POST', '/v1/tokens', { query: { dryRun: true }, body, signal }).then(
        () => setError(undefined),
        (reason: unknown) => {
          if (!signal.aborted) setError(reason instanceof ApiError ? reason : undefined)
        },
      )
    }, CHECK_MS)
    return () => {
      clearTimeout(timer)
      controller.abort()
    }
    // `text` has all fields of the body.
  }, [text])
  return error
}
