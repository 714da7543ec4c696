// One service: its processes with the state of the policy, its traffic, its policy as a form and as YAML, and its deletion.

import { useState } from 'preact/hooks'
import type { ServiceBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { get, request } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { TrafficCharts } from '../../charts/traffic-charts.tsx'
import { useTraffic } from '../../charts/use-traffic.ts'
import { ConfirmButton, showMessage } from '../../forms/action.tsx'
import { removedKeys } from '../../forms/removed-keys.ts'
import { RowEditor } from '../../forms/row-editor.tsx'
import { Drawer, Tabs } from '../../parts/drawer.tsx'
import { QueryNotice } from '../../parts/page-head.tsx'
import { may } from '../../session/session.ts'
import { hrefOf } from '../../shell/address.ts'
import { Processes } from './processes.tsx'
import { SERVICE_FORM } from './service-form.ts'

type Tab = 'processes' | 'traffic' | 'policy'
const TABS = [
  ['processes', 'Processes'],
  ['traffic', 'Traffic'],
  ['policy', 'Policy'],
] as const

export function ServiceDrawer({ name, onClose }: { name: string; onClose: () => void }) {
  const [tab, setTab] = useState<Tab>('processes')
  const path = `/v1/services/${encodeURIComponent(name)}`
  const query = useQuery<ServiceBody>(`service ${name}`, signal => get(path, {}, signal), { on: changeCount })
  const service = query.data
  return (
    <Drawer title={name} label="Service" isWide onClose={onClose}>
      <Tabs names={TABS} selected={tab} onSelect={setTab} />
      <QueryNotice query={query} />
      {tab === 'processes' && <Processes name={name} service={service} />}
      {tab === 'traffic' && <ServiceTraffic name={name} />}
      {service !== undefined && tab === 'policy' && <Policy service={service} onDeleted={onClose} />}
    </Drawer>
  )
}

function ServiceTraffic({ name }: { name: string }) {
  const traffic = useTraffic('5 min', name)
  return (
    <>
      <QueryNotice query={traffic.query} />
      <TrafficCharts traffic={traffic} />
    </>
  )
}

function Policy({ service, onDeleted }: { service: ServiceBody; onDeleted: () => void }) {
  const { id, name, version, routes } = service
  return (
    <div class="stack">
      <p class="soft">
        The form has the common keys, and the YAML has all of them. The{' '}
        <a href="/reference">reference of the API</a> describes the keys, in the schema ServiceChange. A key
        that is absent has its default.
      </p>
      <RowEditor
        noun="service"
        label="The policy as YAML"
        row={service}
        documentOf={({ policy }) => policy}
        pointer="/policy"
        canWrite={may('services:write')}
        groups={SERVICE_FORM}
        save={(row, document, dryRun) =>
          request('PATCH', `/v1/services/${row.id}`, {
            query: { dryRun: dryRun || undefined },
            ifMatch: `"${row.version}"`,
            body: { policy: removedKeys(row.policy, document) },
          })
        }
      />
      {may('services:write') && (
        <div class="row">
          <ConfirmButton
            label="Delete the service"
            disabled={routes > 0}
            question={`Plugboard will delete the service ${name}. Its telephones stay connected.`}
            onConfirm={async () => {
              await request('DELETE', `/v1/services/${id}`, { ifMatch: `"${version}"` })
              showMessage(`Service ${name} deleted.`)
              onDeleted()
            }}
          />
          {routes > 0 && (
            <span class="soft">
              <a href={hrefOf(`/routes?service=${name}`)}>{routes === 1 ? '1 route' : `${routes} routes`}</a>{' '}
              {routes === 1 ? 'leads' : 'lead'} to this service. Delete {routes === 1 ? 'it' : 'them'} first.
            </span>
          )}
        </div>
      )}
    </div>
  )
}
