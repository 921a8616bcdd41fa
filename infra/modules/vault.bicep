// The secrets. The app's settings only refer to them.
param name string
param location string
param tags object
@description('Whom the role is for.')
param principalId string

@secure()
param sendGridApiKey string
@secure()
param stripeApiKey string
@secure()
param adminKey string
@secure()
param writeKey string
@secure()
param stripeWebhookSecret string
@secure()
param stripeWebhookSecretNext string

var roles = {
  // The app's settings refer to these secrets, and the platform reads them in the app's name. Reading only.
  keyVaultSecretsUser: '4633458b-17de-408a-874b-0445c86b69e6'
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    // A deleted vault can be had back for a week. Not protected from being purged: `azd down --purge` is to remove all.
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
  }
}

resource sendGrid 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'sendgrid-api-key'
  properties: { value: sendGridApiKey }
}

resource stripe 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'stripe-api-key'
  properties: { value: stripeApiKey }
}

resource admin 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'admin-key'
  properties: { value: adminKey }
}

resource write 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'write-key'
  properties: { value: writeKey }
}

resource webhook 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = if (!empty(stripeWebhookSecret)) {
  parent: vault
  name: 'stripe-webhook-secret'
  properties: { value: stripeWebhookSecret }
}

resource webhookNext 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = if (!empty(stripeWebhookSecretNext)) {
  parent: vault
  name: 'stripe-webhook-secret-next'
  properties: { value: stripeWebhookSecretNext }
}

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in items(roles): {
  name: guid(vault.id, principalId, role.value)
  scope: vault
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.value)
  }
}]

output name string = vault.name
// With their version: a rotated secret is then a changed setting, and the app starts again with it at once. Without it Azure may take a day.
output uris object = {
  sendGrid: sendGrid.properties.secretUriWithVersion
  stripe: stripe.properties.secretUriWithVersion
  admin: admin.properties.secretUriWithVersion
  write: write.properties.secretUriWithVersion
  webhooks: concat(
    empty(stripeWebhookSecret) ? [] : [webhook!.properties.secretUriWithVersion],
    empty(stripeWebhookSecretNext) ? [] : [webhookNext!.properties.secretUriWithVersion]
  )
}
