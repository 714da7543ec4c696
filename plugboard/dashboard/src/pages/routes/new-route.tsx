// The form of a new route.

import { useState } from 'preact/hooks'
import type { RouteBody, ServiceBody } from '../../../../admin/api-types.ts'
import { ApiError, get, request } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { Dialog } from '../../forms/action.tsx'

export function NewRoute({ onClose, onAdded }: { onClose: () => void; onAdded: (id: string) => void }) {
  const [mount, setMount] = useState('')
  const [service, setService] = useState('')
  const [error, setError] = useState<ApiError | undefined>(undefined)
  const services = useQuery<{ items: readonly ServiceBody[] }>(`services ${service}`, signal =>
    get('/v1/services', { q: service, limit: 20 }, signal),
  )
  const culprit = (pointer: string): string | undefined =>
    error?.culprits.find(each => each.pointer === pointer)?.detail
  const rest = error !== undefined && error.culprits.length === 0 ? error.message : undefined
  return (
    <Dialog title="Add a route" onClose={onClose}>
      <form
        class="stack"
        onSubmit={async event => {
          event.preventDefault()
          try {
            const { body } = await request<RouteBody>('POST', '/v1/routes', { body: { mount, service } })
            onClose()
            onAdded(body.id)
          } catch (reason) {
            setError(reason instanceof ApiError ? reason : new ApiError(0, { detail: String(reason) }))
          }
        }}
      >
        <div class="field">
          <label for="mount">Mount</label>
          <input
            id="mount"
            required
            placeholder="shop.example.com/cart"
            value={mount}
            aria-invalid={culprit('/mount') !== undefined}
            aria-describedby="mount-error"
            onInput={event => setMount(event.currentTarget.value)}
          />
          <span id="mount-error" class="error">
            {culprit('/mount')}
          </span>
        </div>
        <div class="field">
          <label for="service">Service</label>
          <input
            id="service"
            required
            list="services"
            value={service}
            aria-invalid={culprit('/service') !== undefined}
            aria-describedby="service-error"
            onInput={event => setService(event.currentTarget.value)}
          />
          <datalist id="services">
            {services.data?.items.map(({ id, name }) => (
              <option key={id} value={name} />
            ))}
          </datalist>
          <span id="service-error" class="error">
            {culprit('/service')}
          </span>
        </div>
        {rest !== undefined && (
          <div class="notice" data-tone="bad" role="alert">
            {rest}
          </div>
        )}
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Add
          </button>
        </div>
      </form>
    </Dialog>
  )
}
