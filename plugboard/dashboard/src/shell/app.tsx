// The frame with the page of the address.

import { useEffect, useState } from 'preact/hooks'
import { ErrorBoundary, LocationProvider, lazy, Route, Router } from 'preact-iso'
import { liveTraffic } from '../api/live.ts'
import { get } from '../api/request.ts'
import { TrafficSourceContext } from '../charts/traffic-source.ts'
import { Toasts } from '../forms/action.tsx'
import { LoginPage } from '../session/login-page.tsx'
import { session } from '../session/session.ts'
import { BASE, hrefOf } from './address.ts'
import { Navigation } from './navigation.tsx'
import { Palette } from './palette/palette.tsx'
import { TopBar } from './top-bar.tsx'

const Overview = lazy(() =>
  import('../pages/overview/overview-page.tsx').then(({ OverviewPage }) => OverviewPage),
)
const Routes = lazy(() => import('../pages/routes/routes-page.tsx').then(({ RoutesPage }) => RoutesPage))
const Services = lazy(() =>
  import('../pages/services/services-page.tsx').then(({ ServicesPage }) => ServicesPage),
)
const Telephones = lazy(() =>
  import('../pages/telephones/telephones-page.tsx').then(({ TelephonesPage }) => TelephonesPage),
)
const Traffic = lazy(() => import('../pages/traffic/traffic-page.tsx').then(({ TrafficPage }) => TrafficPage))
const Inspector = lazy(() =>
  import('../pages/inspector/inspector-page.tsx').then(({ InspectorPage }) => InspectorPage),
)
const Changes = lazy(() => import('../pages/changes/changes-page.tsx').then(({ ChangesPage }) => ChangesPage))
const Limits = lazy(() => import('../pages/limits/limits-page.tsx').then(({ LimitsPage }) => LimitsPage))
const Cluster = lazy(() => import('../pages/cluster/cluster-page.tsx').then(({ ClusterPage }) => ClusterPage))
const Access = lazy(() => import('../pages/access/access-page.tsx').then(({ AccessPage }) => AccessPage))
const Doctor = lazy(() => import('../pages/doctor/doctor-page.tsx').then(({ DoctorPage }) => DoctorPage))

const PAGE_SOURCE = { live: liveTraffic, get }

export function App() {
  if (session.value === undefined) return null
  if (session.value === null) return <LoginPage />
  return (
    <LocationProvider scope={BASE}>
      <TrafficSourceContext.Provider value={PAGE_SOURCE}>
        <Frame />
      </TrafficSourceContext.Provider>
    </LocationProvider>
  )
}

function Frame() {
  const [isMenuOpen, setMenuOpen] = useState(false)
  const [isSearching, setSearching] = useState(false)
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const isTyping = (event.target as Element).closest('input, textarea, select, dialog') !== null
      const isPalette = (event.metaKey || event.ctrlKey) && event.key === 'k'
      if (!isPalette && (isTyping || event.key !== '/')) return
      event.preventDefault()
      setSearching(true)
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
  return (
    <div class="frame">
      <Navigation isOpen={isMenuOpen} onChoose={() => setMenuOpen(false)} />
      <TopBar onMenu={() => setMenuOpen(isOpen => !isOpen)} onSearch={() => setSearching(true)} />
      <main class="page">
        <ErrorBoundary>
          <Router>
            <Route path={hrefOf('/')} component={Overview} />
            <Route path={hrefOf('/routes/:id?')} component={Routes} />
            <Route path={hrefOf('/services/:name?')} component={Services} />
            <Route path={hrefOf('/telephones/:name?')} component={Telephones} />
            <Route path={hrefOf('/traffic/inspector/:service?/:exchange?')} component={Inspector} />
            <Route path={hrefOf('/traffic/:id?')} component={Traffic} />
            <Route path={hrefOf('/changes/:sequence?')} component={Changes} />
            <Route path={hrefOf('/limits/:of?/:name?')} component={Limits} />
            <Route path={hrefOf('/cluster')} component={Cluster} />
            <Route path={hrefOf('/access')} component={Access} />
            <Route path={hrefOf('/doctor')} component={Doctor} />
            <Route default component={NotFound} />
          </Router>
        </ErrorBoundary>
      </main>
      {isSearching && <Palette onClose={() => setSearching(false)} />}
      <Toasts />
    </div>
  )
}

const NotFound = () => (
  <div class="empty">
    <h1>This page does not exist</h1>
    <a href={hrefOf('/')}>Overview</a>
  </div>
)
