using RetentionFunctions.Settings;
using RetentionFunctions.Storage;

namespace RetentionFunctions.Intake;

/// <summary>Test and live never mix: which mode this store is of.</summary>
public sealed class StripeMode(ITables tables, RetentionSettings settings)
{
    private bool? live = settings.Stripe.Mode switch
    {
        StripeModeSetting.Live => true,
        StripeModeSetting.Test => false,
        _ => null,
    };

    /// <summary>True where events of this mode are taken. With <c>auto</c> the first event that asks decides, for good.</summary>
    public async ValueTask<bool> TakesAsync(bool livemode, CancellationToken cancel = default)
    {
        if (live is not { } mode)
        {
            var row = await tables.ChangeAsync<Mode>(Keys.Account("stripe-mode"), known => known is null ? new Mode(livemode) : null, cancel);
            live = mode = row!.Live;
        }
        return mode == livemode;
    }

    /// <summary>The mode, where it is decided.</summary>
    public async ValueTask<bool?> IsLiveAsync(CancellationToken cancel = default) =>
        live ??= (await tables.GetAsync<Mode>(Keys.Account("stripe-mode"), cancel))?.Value.Live;

    private sealed record Mode(bool Live);
}
