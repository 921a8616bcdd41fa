// Everything that the product needs on Azure, in one resource group. `azd up` deploys it, then the code.
// What is asked: the parameters without a default. What is made by azd once and kept: those marked "generate".
targetScope = 'subscription'

@minLength(1)
@maxLength(64)
@description('The name of the azd environment: names the resource group, and makes all other names unique.')
param environmentName string

@minLength(1)
@description('The region.')
@metadata({ azd: { type: 'location' } })
param location string

@minLength(1)
@description('The name of your product, as your customers know it. It stands in the e-mails.')
param productName string

@minLength(8)
@description('The address of your product, such as https://app.example.com: where "back to the app" leads.')
param productUrl string

@minLength(1)
@description('Your name: it signs the e-mails.')
param founderName string

@minLength(6)
@description('The sender of the e-mails, such as hello@example.com: an address that SendGrid has verified.')
param senderEmail string

@minLength(10)
@description('Your postal address on one line. The law asks for it in marketing mail.')
param postalAddress string

@secure()
@minLength(20)
@description('An API key of SendGrid (SG.…) with the right "Mail Send" alone.')
param sendGridApiKey string

@secure()
@minLength(20)
@description('A restricted key of Stripe (rk_…): subscriptions and customer portal to write; customers, payment methods, invoices, prices and events to read.')
param stripeApiKey string

@secure()
@minLength(20)
@description('The key to the dashboard and the API.')
@metadata({ azd: { type: 'generate', config: { length: 40, noSpecial: true } } })
param adminKey string

@secure()
@minLength(20)
@description('The write key that your app sends with its events.')
@metadata({ azd: { type: 'generate', config: { length: 40, noSpecial: true } } })
param writeKey string

@secure()
@description('The signing secret of the Stripe endpoint (whsec_…). It exists only after the endpoint does; until then Stripe\'s events are refused, and Stripe sends them again for three days.')
param stripeWebhookSecret string = ''

@secure()
@description('A second signing secret, while the first is rotated.')
param stripeWebhookSecretNext string = ''

@description('The verification key of SendGrid\'s Event Webhook, once it is switched on. It is public.')
param sendGridEventKey string = ''

@description('A second verification key, while the first is replaced.')
param sendGridEventKeyNext string = ''

@description('The sender of e-mails about payments; empty: the same as of all others.')
param billingSenderEmail string = ''

@allowed(['preview', 'live'])
@description('"preview" lists what would be sent and sends nothing: so a first deployment writes to nobody.')
param flowsMode string

@description('Where alerts and the budget\'s warnings go; empty: to the sender.')
param alertEmail string = ''

@minValue(1)
@description('The budget of a month, in the currency of the subscription. It only warns: nothing is switched off.')
param budgetAmount int = 60

@description('The first day of the month in which the budget was made (yyyy-MM-01): Azure refuses to change it. A hook sets it once; empty: no budget.')
param budgetStart string = ''

@minValue(0)
@maxValue(2)
@description('Instances that are kept warm for HTTP: with 1 no customer who clicks a link waits for a cold start (some seconds). It costs by the hour: docs/cost.md.')
param alwaysReadyInstances int = 0

@allowed([512, 2048, 4096])
@description('The memory of an instance in MB. 512 are enough for the events of any number of customers; from some tens of thousands on, the lists want 2048 (docs/cost.md has the price of both).')
param instanceMemoryMB int = 512

@description('The most that Application Insights takes in a day, in GB. What comes after is lost until the next day, and the alert "silent" says so.')
param dailyCapGb string

// By uniqueString, so that a second run names the same resources.
var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var alertsTo = empty(alertEmail) ? senderEmail : alertEmail

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  name: 'identity'
  params: { name: 'id-${token}', location: location, tags: tags }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  name: 'monitoring'
  params: { token: token, location: location, tags: tags, dailyCapGb: dailyCapGb, principalId: identity.outputs.principalId }
}

module storage 'modules/storage.bicep' = {
  scope: group
  name: 'storage'
  params: { name: 'st${token}', location: location, tags: tags, principalId: identity.outputs.principalId }
}

module queue 'modules/servicebus.bicep' = {
  scope: group
  name: 'servicebus'
  params: { name: 'sb-${token}', location: location, tags: tags, principalId: identity.outputs.principalId }
}

module vault 'modules/vault.bicep' = {
  scope: group
  name: 'vault'
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    sendGridApiKey: sendGridApiKey
    stripeApiKey: stripeApiKey
    adminKey: adminKey
    writeKey: writeKey
    stripeWebhookSecret: stripeWebhookSecret
    stripeWebhookSecretNext: stripeWebhookSecretNext
  }
}

module app 'modules/app.bicep' = {
  scope: group
  name: 'app'
  params: {
    name: 'func-${token}'
    planName: 'plan-${token}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    blobEndpoint: storage.outputs.blobEndpoint
    queueEndpoint: storage.outputs.queueEndpoint
    tableEndpoint: storage.outputs.tableEndpoint
    deploymentContainer: storage.outputs.deploymentContainer
    backupContainer: storage.outputs.backupContainer
    serviceBusHost: queue.outputs.host
    applicationInsightsConnection: monitoring.outputs.connection
    secretUris: vault.outputs.uris
    sendGridEventKeys: filter([sendGridEventKey, sendGridEventKeyNext], key => !empty(key))
    productName: productName
    productUrl: productUrl
    founderName: founderName
    senderEmail: senderEmail
    billingSenderEmail: empty(billingSenderEmail) ? senderEmail : billingSenderEmail
    postalAddress: postalAddress
    flowsMode: flowsMode
    alwaysReadyInstances: alwaysReadyInstances
    instanceMemoryMB: instanceMemoryMB
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  name: 'alerts'
  params: {
    token: token
    location: location
    tags: tags
    email: alertsTo
    workspaceId: monitoring.outputs.workspaceId
    serviceBusId: queue.outputs.id
  }
}

module budget 'modules/budget.bicep' = if (!empty(budgetStart)) {
  scope: group
  name: 'budget'
  params: { amount: budgetAmount, start: budgetStart, email: alertsTo }
}

// azd keeps these in its environment; the hook at the end prints them.
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_KEY_VAULT_NAME string = vault.outputs.name
output APP_URL string = app.outputs.url
output DASHBOARD_URL string = app.outputs.url
output STRIPE_WEBHOOK_URL string = '${app.outputs.url}/stripe/webhook'
output SENDGRID_WEBHOOK_URL string = '${app.outputs.url}/sendgrid/events'
output STRIPE_WEBHOOK_STATE string = empty(stripeWebhookSecret) ? 'to do' : 'done'
output SENDGRID_WEBHOOK_STATE string = empty(sendGridEventKey) ? 'to do' : 'done'
output FLOWS_MODE_DEPLOYED string = flowsMode
