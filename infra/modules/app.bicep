// The app: Flex Consumption, .NET 10 in an isolated worker.
param name string
param planName string
param location string
param tags object
param identityId string
param identityClientId string
param blobEndpoint string
param queueEndpoint string
param tableEndpoint string
param deploymentContainer string
param backupContainer string
param serviceBusHost string
param applicationInsightsConnection string
@description('Where the secrets are: sendGrid, stripe, admin, write, and the list webhooks.')
param secretUris object
param sendGridEventKeys array
param productName string
param productUrl string
param founderName string
param senderEmail string
param billingSenderEmail string
param postalAddress string
param flowsMode string
param alwaysReadyInstances int
param instanceMemoryMB int

// Lists are settings with a number at the end.
var webhookSecrets = toObject(range(0, length(secretUris.webhooks)), i => 'Stripe__WebhookSecrets__${i}', i => '@Microsoft.KeyVault(SecretUri=${secretUris.webhooks[i]})')
var eventKeys = toObject(range(0, length(sendGridEventKeys)), i => 'Email__SendGrid__EventPublicKeys__${i}', i => sendGridEventKeys[i])

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  // By this tag azd finds where the service 'functions' of azure.yaml goes.
  tags: union(tags, { 'azd-service-name': 'functions' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    // Whose name the references to Key Vault are read in.
    keyVaultReferenceIdentity: identityId
    siteConfig: { minTlsVersion: '1.2' }
    functionAppConfig: {
      runtime: { name: 'dotnet-isolated', version: '10.0' }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${blobEndpoint}${deploymentContainer}'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId }
        }
      }
      scaleAndConcurrency: {
        // Host and worker share it, and the bill counts memory by time.
        instanceMemoryMB: instanceMemoryMB
        // A bound for the bill, the least that every region takes; each group (HTTP, Durable, each other trigger) counts for itself. One instance serves all sessions.
        maximumInstanceCount: 40
        alwaysReady: alwaysReadyInstances == 0 ? [] : [{ name: 'http', instanceCount: alwaysReadyInstances }]
      }
    }
  }
}

resource settings 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: app
  name: 'appsettings'
  properties: union({
    // The Functions host: its storage, without a key.
    AzureWebJobsStorage__blobServiceUri: blobEndpoint
    AzureWebJobsStorage__queueServiceUri: queueEndpoint
    AzureWebJobsStorage__tableServiceUri: tableEndpoint
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    // The dashboard is at '/', where the host would show a page of its own.
    AzureWebJobsDisableHomepage: 'true'
    // The triggers, and the sender.
    ServiceBus__fullyQualifiedNamespace: serviceBusHost
    ServiceBus__credential: 'managedidentity'
    ServiceBus__clientId: identityClientId
    // The product's own clients: DefaultAzureCredential takes the identity of this name.
    AZURE_CLIENT_ID: identityClientId
    Tables__tableServiceUri: tableEndpoint
    Backups__containerUri: '${blobEndpoint}${backupContainer}'
    // Host and worker send what they measure.
    APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsightsConnection
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
    // A tenth of the host's own traces too: they are what fills the daily cap.
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio'
    OTEL_TRACES_SAMPLER_ARG: '0.1'
    // Secrets.
    SENDGRID_API_KEY: '@Microsoft.KeyVault(SecretUri=${secretUris.sendGrid})'
    STRIPE_API_KEY: '@Microsoft.KeyVault(SecretUri=${secretUris.stripe})'
    Admin__Key: '@Microsoft.KeyVault(SecretUri=${secretUris.admin})'
    AppEvents__WriteKey: '@Microsoft.KeyVault(SecretUri=${secretUris.write})'
    // What azd asked for; it wins over retention.json.
    Product__Name: productName
    Product__Url: productUrl
    Product__FounderName: founderName
    Email__From: senderEmail
    Email__BillingFrom: billingSenderEmail
    Email__PostalAddress: postalAddress
    Flows__Mode: flowsMode
  }, webhookSecrets, eventKeys)
}

// Nobody deploys by a password: azd uses whoever is signed in.
resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'ftp'
  properties: { allow: false }
}

resource noDeployPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'scm'
  properties: { allow: false }
}

output url string = 'https://${app.properties.defaultHostName}'
