// The Cluster page of the dashboard with three replicas: the matrix of links, the readiness of each replica, and differences between replicas.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DashboardBrowser } from '../../support/dashboard/dashboard-browser.ts'
import { CHROMIUM } from '../../support/process/chromium.ts'
import { useCluster } from '../../support/programs/cluster.ts'

describe.skipIf(!CHROMIUM)('the Cluster page', () => {
  const cluster = useCluster(3)
  let dashboard: DashboardBrowser
  let key: string

  beforeAll(async () => {
    await cluster.untilLinked()
    dashboard = await DashboardBrowser.open(cluster.places[0]!.adminPort)
    key = await cluster.replicas[0]!.adminKey()
    await cluster.startTelephone(0)
    await cluster.untilTunnels(2)
    await dashboard.visit('/cluster', key)
  }, 60_000)
  afterAll(() => dashboard?.close())

  const links = () => dashboard.page.getByRole('table', { name: 'Links by replica' })
  const replica = (id: string) =>
    dashboard.page.getByRole('table', { name: 'Replicas' }).getByRole('row', { name: id })

  it('shows a link from both of its ends, the state of each replica, and the lines of services', async () => {
    for (const { name } of cluster.places) {
      await replica(name).getByText('ready').waitFor()
      await links()
        .getByRole('row', { name: new RegExp(`^${name}`) })
        .waitFor()
    }
    expect(await links().locator('[data-health="good"]').count()).toBe(6)
    expect(await links().locator('[data-health="good"]').first().textContent()).toMatch(/^[\d.]+ ms/)
    await dashboard.page.getByRole('table', { name: 'Lines of services by replica' }).waitFor()
    expect(await dashboard.page.getByText('Differences between replicas').count()).toBe(0)
    await dashboard.picture('cluster')
    expect(await dashboard.faults()).toEqual([])
    expect(dashboard.complaints).toEqual([])
  })

  it('describes a setting that differs, and a replica that was killed', async () => {
    const { page } = dashboard
    await cluster.replicas[1]!.child.stop()
    await cluster.startReplica(1, { args: ['--token-max-claims', '7'] })
    await page
      .getByText('The setting tokenMaxClaims is not the same on replica-1, replica-3 and replica-2.')
      .waitFor()
    await page.getByRole('heading', { name: 'Differences between replicas' }).waitFor()
    await dashboard.picture('cluster-difference')
    await cluster.replicas[2]!.child.stop('SIGKILL')
    await replica('replica-3').getByText('Its lease has expired').waitFor()
    await links()
      .getByRole('row', { name: /^replica-1/ })
      .getByText('no link')
      .waitFor()
    await dashboard.picture('cluster-lost')
    expect(await dashboard.faults()).toEqual([])
  })
})
