// One route: its properties and actions, its editor, its limits, and its history with undo.

import { useState } from 'preact/hooks'
import type { ChangeBody, RouteBody, ServiceBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { get, request } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { removedKeys } from '../../forms/removed-keys.ts'
import { RowEditor } from '../../forms/row-editor.tsx'
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

function Edit({ route }: { route: RouteBody }) {
  const services = useQuery<{ items: readonly ServiceBody[] }>('services of a form', signal =>
    get('/v1/services', { limit: 200 }, signal),
  )
  return (
    <RowEditor
      noun="route"
      label="The route as YAML"
      row={route}
      documentOf={documentOf}
      canWrite={may('routes:write')}
      groups={routeForm(services.data?.items.map(({ name }) => name) ?? [])}
      save={(row, changed, dryRun) =>
        request('PATCH', `/v1/routes/${row.id}`, {
          query: { dryRun: dryRun || undefined },
          ifMatch: `"${row.version}"`,
          body: removedKeys(documentOf(row), changed, ['options']),
        })
      }
    />
  )
}

const documentOf = ({ mount, service, options }: RouteBody): object => ({ mount, service, options })

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
