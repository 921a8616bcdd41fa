namespace RetentionFunctions.Intake.App;

/// <summary>What comes from the app.</summary>
public sealed class AppEventSettings
{
    /// <summary>The write key of the Segment-compatible API. A secret.</summary>
    public string? WriteKey { get; set; }
}
