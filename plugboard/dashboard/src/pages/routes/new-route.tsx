// The form of a new route.

import { useState } from 'preact/hooks'
import type { RouteBody, ServiceBody } from '../../../../admin/api-types.ts'
import { get, request } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { CreateDialog } from '../../forms/create-dialog.tsx'
import { Field } from '../../forms/field.tsx'

export function NewRoute({ onClose, onAdded }: { onClose: () => void; onAdded: (id: string) => void }) {
  const [mount, setMount] = useState('')
  const [service, setService] = useState('')
  const services = useQuery<{ items: readonly ServiceBody[] }>(`services ${service}`, signal =>
    get('/v1/services', { q: service, limit: 20 }, signal),
  )
  const create = async (): Promise<void> => {
    const { body } = await request<RouteBody>('POST', '/v1/routes', { body: { mount, service } })
    onClose()
    onAdded(body.id)
  }
  return (
    <CreateDialog title="Add a route" submit="Add" create={create} onClose={onClose}>
      {error => (
        <>
          <Field
            name="mount"
            label="Mount"
            value={mount}
            onInput={setMount}
            error={error}
            required
            placeholder="shop.example.com/cart"
          />
          <Field
            name="service"
            label="Service"
            value={service}
            onInput={setService}
            error={error}
            required
            suggestions={services.data?.items.map(({ name }) => name)}
          />
        </>
      )}
    </CreateDialog>
  )
}
