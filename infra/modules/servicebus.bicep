// The inbox. Sessions and duplicate detection need the tier Standard.
param name string
param location string
param tags object
@description('Whom the roles are for.')
param principalId string

// Each role, and who needs it; on the queue alone. No right to manage: without it the trigger's scaling goes by the age of the oldest message instead of their number,
// which one instance that serves all 64 sessions does not need.
var roles = {
  // The doors put events into the inbox.
  serviceBusDataSender: '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'
  // The triggers take them out, and the queue's dead letters.
  serviceBusDataReceiver: '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'
}

resource bus 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: 'Standard', tier: 'Standard' }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
  }
}

resource inbox 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: bus
  name: 'inbox'
  properties: {
    // Events of one customer are handled one after another.
    requiresSession: true
    // Copies of an event are dropped for as long as they may come: Stripe repeats for three days and the nightly reconcile looks back as far; a day over.
    // (The least is 20 seconds, the most seven days. What comes later changes nothing: each event leaves a marker with its effect.)
    requiresDuplicateDetection: true
    duplicateDetectionHistoryTimeWindow: 'P4D'
    // As often as the code tries before it gives a message up (InboxProcessor.MaxAttempts).
    maxDeliveryCount: 10
    // Nobody waits two weeks; but what did is a dead letter with its body, and not lost.
    defaultMessageTimeToLive: 'P14D'
    deadLetteringOnMessageExpiration: true
    // A session whose instance died is free again after a minute. Those that are being handled are renewed (host.json).
    lockDuration: 'PT1M'
    // Costs nothing, and takes weeks of events while the app is down.
    maxSizeInMegabytes: 5120
  }
}

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in items(roles): {
  name: guid(inbox.id, principalId, role.value)
  scope: inbox
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.value)
  }
}]

output id string = bus.id
output host string = '${bus.name}.servicebus.windows.net'
