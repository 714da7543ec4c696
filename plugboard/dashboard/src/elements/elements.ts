// The elements of the dashboard for other pages: one script, which the admin port serves as /dashboard/elements.js
// (docs/embedding.md). They change no data.

import type { ComponentType } from 'preact'
import { ClusterView } from './cluster-view.tsx'
import { OverviewView } from './overview-view.tsx'
import { PlugboardElement, type ViewProps } from './plugboard-element.tsx'
import { ServicesView } from './services-view.tsx'
import { TelephonesView } from './telephones-view.tsx'

const VIEWS: readonly (readonly [name: string, label: string, view: ComponentType<ViewProps>])[] = [
  ['plugboard-overview', 'Traffic of Plugboard', OverviewView],
  ['plugboard-services', 'Services of Plugboard', ServicesView],
  ['plugboard-telephones', 'Telephones of Plugboard', TelephonesView],
  ['plugboard-cluster', 'Replicas of Plugboard', ClusterView],
]

for (const [name, label, view] of VIEWS) {
  // A page may load the script twice, from two replicas.
  if (customElements.get(name) !== undefined) continue
  customElements.define(
    name,
    class extends PlugboardElement {
      protected readonly label = label
      protected readonly view = view
    },
  )
}
