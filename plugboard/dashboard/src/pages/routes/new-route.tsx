// The form of a new route: it offers the hosts and mounts that exist, and shows the command that tests the new one.

import { useState } from 'preact/hooks'
import type { RouteBody, ServiceBody } from '../../../../admin/api-types.ts'
import { get, request } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { CreateDialog } from '../../forms/create-dialog.tsx'
import { Field } from '../../forms/field.tsx'
import { CommandLine } from '../../parts/command-line.tsx'
import { session } from '../../session/session.ts'
import { testCommand } from './mount-url.ts'

export function NewRoute({ onClose, onAdded }: { onClose: () => void; onAdded: (id: string) => void }) {
  const [mount, setMount] = useState('')
  const [service, setService] = useState('')
  const services = useQuery<{ items: readonly ServiceBody[] }>(`services ${service}`, signal =>
    get('/v1/services', { q: service, limit: 20 }, signal),
  )
  const routes = useQuery<{ items: readonly RouteBody[] }>(`mounts ${mount}`, signal =>
    get('/v1/routes', { q: mount, limit: 20 }, signal),
  )
  const create = async (): Promise<void> => {
    const { body } = await request<RouteBody>('POST', '/v1/routes', { body: { mount, service } })
    onClose()
    onAdded(body.id)
  }
  const command = testCommand(mount, session.value?.plugboardUrl ?? '')
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
            suggestions={completionsOf(routes.data?.items ?? [])}
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
          {command !== undefined && (
            <div class="field">
              <span class="soft">Test it with this command after you have added it:</span>
              <CommandLine command={command} />
            </div>
          )}
        </>
      )}
    </CreateDialog>
  )
}

/** A new route has another mount than the existing ones, so their hosts come first. */
function completionsOf(routes: readonly RouteBody[]): string[] {
  return [...new Set([...routes.map(({ host }) => `${host}/`), ...routes.map(({ mount }) => mount)])]
}
