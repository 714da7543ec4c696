// The Services page in a real browser, with three telephones: the actions of operators on a process, the share of a canary, and the
// policy as a form.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ServiceProcessesBody } from '../../../plugboard/admin/api-types.ts'
import { connect, type TelephoneHandle } from '../../../telephone/index.ts'
import { eventually } from '../../support/deadline.ts'
import { send } from '../../support/http/http-client.ts'
import { hasChromium, useDashboard } from '../../support/programs/dashboard.ts'
import { FailingBackend } from '../../support/programs/ejection-service.ts'

const SERVICE = 'shop'
const VERSIONS = { red: '1.0', green: '1.0', blue: '2.0' } as const

describe.skipIf(!hasChromium)('the Services page', () => {
  const dashboard = useDashboard()
  const backends: FailingBackend[] = []
  const telephones: TelephoneHandle[] = []
  const live = () =>
    dashboard.plugboard.call<ServiceProcessesBody>('GET', `/v1/services/${SERVICE}/processes`)
  const stateOf = async (name: string) => (await live()).items.find(each => each.telephone === name)?.state
  const open = () => dashboard.page.goto(dashboard.urlOf(`/dashboard/services/${SERVICE}`))
  const processes = () => dashboard.page.getByRole('table', { name: 'Processes' })
  const rowOf = (name: string) => processes().getByRole('row', { name: new RegExp(`^${name}`) })

  const sendRequests = async () => {
    for (let count = 0; count < 60; count += 1)
      await send({ port: dashboard.plugboard.port, host: 'shop.localhost', path: '/' })
  }

  beforeAll(async () => {
    await dashboard.logIn()
    const { plugboard } = dashboard
    const subsets = [
      { name: 'canary', select: { version: '2.*' }, percent: 5, guard: { maxErrorPercent: 5 } },
    ]
    await plugboard.call('POST', '/v1/services', {
      name: SERVICE,
      policy: { balancing: 'round_robin', splitBy: 'request', subsets },
    })
    await plugboard.call('POST', '/v1/routes', { mount: 'shop.localhost', service: SERVICE })
    const { token } = await plugboard.call<{ token: string }>('POST', '/v1/tokens', {
      name: 'shops',
      services: [SERVICE],
    })
    for (const [name, version] of Object.entries(VERSIONS)) {
      const backend = await new FailingBackend(200, name).listen()
      backends.push(backend)
      telephones.push(
        await connect({
          plugboard: plugboard.url,
          token,
          name,
          service: SERVICE,
          version,
          target: backend.port,
          onEvent: () => undefined,
        }),
      )
    }
    await eventually('three processes serve', async () => (await live()).items.length === 3 || undefined)
    await sendRequests()
  }, 60_000)
  afterAll(async () => {
    await Promise.all(telephones.map(telephone => telephone.close(0)))
    await Promise.all(backends.map(backend => backend.close()))
  })
  // The browser reports the responses to refused writes.
  const noComplaints = () => {
    expect(dashboard.complaints.filter(text => !/status of 4\d\d/.test(text))).toEqual([])
    dashboard.complaints.length = 0
  }
  afterEach(noComplaints)

  it('lists the service with its traffic, and opens its processes', async () => {
    const { page } = dashboard
    await page.goto(dashboard.urlOf('/dashboard/services'))
    const row = page.getByRole('row', { name: /^shop served/ })
    await row.getByText(/\d\/s/).waitFor()
    await dashboard.checkPage()
    await row.focus()
    await page.keyboard.press('Enter')
    for (const [name, version] of Object.entries(VERSIONS)) await rowOf(name).getByText(version).waitFor()
    await page
      .getByRole('table', { name: 'The next request' })
      .getByText(/red|green/)
      .waitFor()
    await dashboard.checkPage()
  })

  it('drains a process by keyboard, shows the operator, and resumes it', async () => {
    const { page } = dashboard
    await open()
    await page.getByRole('button', { name: 'Steer red' }).focus()
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Steer red' })
    await dialog.getByLabel(/Reason/).fill('new disk')
    await dashboard.checkPage()
    await page.keyboard.press('Enter')
    await rowOf('red').getByText(/^by /).waitFor()
    expect(await stateOf('red')).toBe('draining')
    await page.getByRole('button', { name: 'Steer red' }).click()
    await dialog.getByText(/Now: draining by .* \(new disk\)/).waitFor()
    await dialog.getByRole('button', { name: 'Resume' }).click()
    await rowOf('red').getByText(/^by /).waitFor({ state: 'detached' })
    expect(await stateOf('red')).toBe('serving')
  })

  it('ejects a process for a time, and it returns by itself', async () => {
    const { page } = dashboard
    await open()
    await page.getByRole('button', { name: 'Steer green' }).click()
    const dialog = page.getByRole('dialog', { name: 'Steer green' })
    await dialog.getByRole('button', { name: 'Eject' }).first().click()
    await dialog.getByLabel(/^For/).fill('soon')
    await dialog.getByRole('button', { name: 'Eject' }).last().click()
    await dialog.getByText('is not a duration').waitFor()
    await dialog.getByLabel(/^For/).fill('3s')
    await dialog.getByRole('button', { name: 'Eject' }).last().click()
    await rowOf('green')
      .getByText(/^by .* until /)
      .waitFor()
    await rowOf('green').getByText('serving').waitFor()
    expect(await stateOf('green')).toBe('serving')
  })

  it('stops the last process only after a confirmation', async () => {
    const { page, plugboard } = dashboard
    for (const process of ['red', 'blue']) {
      await plugboard.call('POST', '/v1/overrides', { service: SERVICE, process, weight: 0 })
    }
    await open()
    await rowOf('blue').getByText('draining').first().waitFor()
    await page.getByRole('button', { name: 'Steer green' }).click()
    const dialog = page.getByRole('dialog', { name: 'Steer green' })
    await dialog.getByRole('button', { name: 'Drain' }).last().click()
    await dialog.getByRole('alert').getByText('last process').waitFor()
    await dialog.getByLabel('Stop the last process too').check()
    await dialog.getByRole('button', { name: 'Drain' }).last().click()
    await rowOf('green').getByText(/^by /).waitFor()
    await page.goto(dashboard.urlOf('/dashboard/services'))
    await page.getByRole('row', { name: /shop no weight/ }).waitFor()
    const { items } = await plugboard.call<{ items: { id: string }[] }>('GET', '/v1/overrides')
    for (const { id } of items) await plugboard.call('DELETE', `/v1/overrides/${id}`)
  })

  it('changes the share of a canary beside the traffic of both sides', async () => {
    const { page } = dashboard
    // The sides count the requests of the last minute.
    await sendRequests()
    await open()
    const sides = page.getByRole('table', { name: 'Subsets' })
    await sides.getByRole('row', { name: /^other processes 2 \d+ 0 % .* ms/ }).waitFor()
    await sides.getByRole('row', { name: /^canary 1/ }).waitFor()
    const slider = page.getByRole('slider', { name: 'canary' })
    await slider.focus()
    for (let step = 0; step < 3; step += 1) await page.keyboard.press('ArrowRight')
    await page.getByText('now 5 %').waitFor()
    await dashboard.checkPage()
    await page.getByRole('button', { name: 'Apply' }).click()
    await page.getByText('canary gets 8 % of the requests.').waitFor()
    const { policy } = await dashboard.plugboard.call<{ policy: { subsets: { percent: number }[] } }>(
      'GET',
      `/v1/services/${SERVICE}`,
    )
    expect(policy.subsets[0]!.percent).toBe(8)
  })

  it('changes the policy by a form, which shows the problem of a field', async () => {
    const { page } = dashboard
    await open()
    await page.getByRole('tab', { name: 'Policy' }).click()
    await page.getByLabel('Retries').fill('11')
    await page.locator('#field-retries-error').getByText('10').waitFor()
    noComplaints()
    await page.getByLabel('Retries').fill('4')
    await page.getByLabel('Balancing').selectOption('least_streams')
    await page.getByText('Checked.').waitFor()
    await dashboard.checkPage()
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved.').waitFor()
    const { policy } = await dashboard.plugboard.call<{ policy: Record<string, unknown> }>(
      'GET',
      `/v1/services/${SERVICE}`,
    )
    expect(policy).toMatchObject({ retries: 4, balancing: 'least_streams', splitBy: 'request' })
  })

  it('keeps the edits of a policy when another person changes the service', async () => {
    const { page, plugboard } = dashboard
    const retries = page.getByLabel('Retries')
    await retries.fill('5')
    await plugboard.call('PATCH', `/v1/services/${SERVICE}`, { policy: { outlier: false } })
    await page.getByText('This service has changed since you opened it.').waitFor()
    expect(await retries.inputValue()).toBe('5')
    await page.getByRole('button', { name: 'Discard' }).click()
    await expect.poll(() => retries.inputValue()).toBe('4')
    const ejection = page.getByLabel('Passive ejection')
    await expect.poll(() => ejection.locator('option:checked').textContent()).toBe('off')
    await ejection.selectOption({ label: 'on (default)' })
    await page.getByText('Checked.').waitFor()
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved.').first().waitFor()
    await eventually('the default applies', async () => {
      const { policy } = await plugboard.call<{ policy: object }>('GET', `/v1/services/${SERVICE}`)
      return !('outlier' in policy) || undefined
    })
  })
})
