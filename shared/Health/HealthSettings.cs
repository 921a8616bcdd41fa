namespace RetentionFunctions.Health;

/// <summary>How health is scored.</summary>
public sealed class HealthSettings
{
}
