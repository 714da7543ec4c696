// One route: its properties and actions, its editor, its limits, and its history with undo.

import { useRef, useState } from 'preact/hooks'
import type { ChangeBody, RouteBody, ServiceBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { get, request } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { DocumentEditor } from '../../forms/document-editor.tsx'
import { removedKeys } from '../../forms/removed-keys.ts'
import { Drawer, Tabs } from '../../parts/drawer.tsx'
import { QueryNotice } from '../../parts/page-head.tsx'
import { may } from '../../session/session.ts'
import { ChangeDialog } from '../changes/change-dialog.tsx'
import { LastChanges } from '../overview/last-changes.tsx'
import { RouteAbout } from './route-about.tsx'
import { routeForm } from './route-form.ts'
import { RouteLimits } from './route-limits.tsx'

type Tab = 'about' | 'edit' | 'limits' | 'history'

export function RouteDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const [tab, setTab] = useState<Tab>('about')
  const query = useQuery<RouteBody>(`route ${id}`, signal => get(`/v1/routes/${id}`, {}, signal), {
    on: changeCount,
  })
  const route = query.data
  const tabs: readonly (readonly [Tab, string])[] = [
    ['about', 'About'],
    ['edit', 'Edit'],
    ...(may('status:read') ? ([['limits', 'Limits']] as const) : []),
    ...(may('changes:read') ? ([['history', 'History']] as const) : []),
  ]
  return (
    <Drawer title={<span class="mono">{route?.mount ?? '…'}</span>} label="Route" onClose={onClose}>
      <Tabs names={tabs} selected={tab} onSelect={setTab} />
      <QueryNotice query={query} />
      {route !== undefined && tab === 'about' && <RouteAbout route={route} onDeleted={onClose} />}
      {route !== undefined && tab === 'edit' && <Edit route={route} />}
      {route !== undefined && tab === 'limits' && <RouteLimits route={route} />}
      {tab === 'history' && <History id={id} />}
    </Drawer>
  )
}

/** While a person edits the route, the document stays. Its version is sent, so a save after the change of another user is refused. */
function Edit({ route }: { route: RouteBody }) {
  const [isEdited, setEdited] = useState(false)
  const opened = useRef(route)
  if (!isEdited) opened.current = route
  const { id, version, mount, service, options } = opened.current
  const services = useQuery<{ items: readonly ServiceBody[] }>('services of a form', signal =>
    get('/v1/services', { limit: 200 }, signal),
  )
  const document = { mount, service, options }
  return (
    <>
      {isEdited && route.version !== version && (
        <p class="notice" data-tone="warn" role="status">
          This route has changed since you opened it. Discard your edits to see the change.
        </p>
      )}
      <DocumentEditor
        label="The route as YAML"
        document={document}
        canWrite={may('routes:write')}
        groups={routeForm(services.data?.items.map(({ name }) => name) ?? [])}
        onEdited={setEdited}
        save={(changed, dryRun) =>
          request('PATCH', `/v1/routes/${id}`, {
            query: { dryRun: dryRun || undefined },
            ifMatch: `"${version}"`,
            body: removedKeys(document, changed, ['options']),
          })
        }
      />
    </>
  )
}

function History({ id }: { id: string }) {
  const [opened, setOpened] = useState<ChangeBody | undefined>(undefined)
  const query = useQuery<{ items: readonly ChangeBody[] }>(
    `history ${id}`,
    signal => get('/v1/changes', { entityId: id, limit: 100 }, signal),
    { on: changeCount },
  )
  return (
    <>
      <QueryNotice query={query} />
      <LastChanges changes={query.data?.items ?? []} onOpen={setOpened} />
      {opened !== undefined && <ChangeDialog change={opened} onClose={() => setOpened(undefined)} />}
    </>
  )
}
