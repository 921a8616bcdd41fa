// What a founder must hear of, by e-mail. docs/operating.md says of each what it means and what to do.
// The names in the queries are those of shared/Telemetry/RetentionTelemetry.cs; a test compares them.
param token string
param location string
param tags object
param email string
param workspaceId string
param serviceBusId string

// Each query returns one row with one number: also where there is no data, which a bare filter would not.
// Every quarter of an hour or every hour: a rule costs by how often it looks, and an e-mail is read within hours anyway.
var rules = [
  {
    name: 'dead-letters'
    description: 'Events could not be handled. They are kept: the page "Dead letters" shows why, and can replay them.'
    severity: 2
    query: 'AppMetrics | where Name == "retention.dead_letters" | summarize Value = sum(Sum)'
    every: 'PT15M'
    window: 'PT15M'
    range: null
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    // Not in the first day: an app that has told of nothing 26 hours ago was not there yet.
    name: 'sweep-missed'
    description: 'No daily sweep has finished for 26 hours: nobody was scored, and no win-back starts.'
    severity: 1
    query: 'AppMetrics | summarize Sweeps = countif(Name == "retention.sweep.duration" and TimeGenerated > ago(26h)), Oldest = min(TimeGenerated) | project Value = iff(isnull(Oldest) or Oldest > ago(26h), 1, Sweeps)'
    every: 'PT1H'
    window: 'PT1H'
    range: 'P2D'
    operator: 'LessThan'
    threshold: 1
  }
  {
    // Four are strangers who try the address; Stripe and SendGrid try again and again.
    name: 'webhook-failures'
    description: 'Events of Stripe or SendGrid were refused or could not be taken: most often a signing secret that is missing or was rotated.'
    severity: 2
    query: 'AppMetrics | where Name in ("retention.requests.refused", "retention.requests.failed") and tostring(Properties["kind"]) in ("stripe", "mail") | summarize Value = sum(Sum)'
    every: 'PT15M'
    window: 'PT1H'
    range: null
    operator: 'GreaterThan'
    threshold: 4
  }
  {
    name: 'runs-stuck'
    description: 'The nightly watchdog found runs of flows that nobody had looked at when they were due. They were woken or started again.'
    severity: 2
    query: 'AppMetrics | where Name == "retention.runs.late" | summarize Value = sum(Sum)'
    every: 'PT1H'
    window: 'PT1H'
    range: null
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'job-failed'
    description: 'A job, such as the nightly backup, came to its end without being done.'
    severity: 2
    query: 'AppMetrics | where Name == "retention.jobs.ended" and tostring(Properties["outcome"]) == "failed" | summarize Value = sum(Sum)'
    every: 'PT1H'
    window: 'PT1H'
    range: null
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    // A timer fires every quarter of an hour, so an app that lives is never silent for one. Not before it has said anything at all.
    name: 'silent'
    description: 'The app has said nothing for an hour: it does not start, or the daily cap of Application Insights is reached.'
    severity: 1
    query: 'union AppMetrics, AppTraces, AppRequests | summarize Recent = countif(TimeGenerated > ago(1h)), Ever = count() | project Value = iff(Ever == 0, 1, Recent)'
    every: 'PT1H'
    window: 'PT1H'
    range: 'P2D'
    operator: 'LessThan'
    threshold: 1
  }
]

resource mail 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${token}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    // In the subject of the e-mails; twelve characters at most.
    groupShortName: 'retention'
    emailReceivers: [{ name: 'founder', emailAddress: email, useCommonAlertSchema: true }]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: rule.name
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Retention: ${rule.name}'
    description: rule.description
    severity: rule.severity
    enabled: true
    scopes: [workspaceId]
    evaluationFrequency: rule.every
    windowSize: rule.window
    // How far back the query reads, where that is more than the window.
    overrideQueryTimeRange: rule.range
    // The tables of a new workspace may not be there yet.
    skipQueryValidation: true
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: rule.query
          metricMeasureColumn: 'Value'
          timeAggregation: 'Total'
          operator: rule.operator
          threshold: rule.threshold
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: [mail.id] }
  }
}]

// The queue's own count needs no query, and tells also when the app is dead.
resource waiting 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'inbox-waiting'
  location: 'global'
  tags: tags
  properties: {
    description: 'More than 100 events have been waiting for half an hour: they come faster than they are handled, or nothing handles them.'
    severity: 2
    enabled: true
    scopes: [serviceBusId]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT30M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'waiting'
          metricNamespace: 'Microsoft.ServiceBus/namespaces'
          metricName: 'ActiveMessages'
          dimensions: [{ name: 'EntityName', operator: 'Include', values: ['inbox'] }]
          timeAggregation: 'Minimum'
          operator: 'GreaterThan'
          threshold: 100
        }
      ]
    }
    actions: [{ actionGroupId: mail.id }]
  }
}
