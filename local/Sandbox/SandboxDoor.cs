using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Links;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>Delivers the sandbox's events as Stripe does: signed, to the host's own webhook, a few of them twice.</summary>
public sealed class SandboxDoor(LocalAddress address, IInbox inbox, BodyStore bodies, RetentionSettings settings, TimeProvider clock) : IDisposable
{
    // About as many copies as are reported of the real one.
    private const int CopiesPercent = 4;

    // A simulated clock may move between the signing and the door.
    private const int Attempts = 3;

    private readonly HttpClient http = new(new SocketsHttpHandler { UseProxy = false });

    /// <summary>Delivers one event, once or twice; it returns when the event is durably kept.</summary>
    /// <exception cref="TransientBillingException">The door did not take it; the same may be delivered again.</exception>
    public async Task DeliverAsync(SandboxEvent e, CancellationToken cancel = default)
    {
        await SendAsync(e, cancel);
        if (SHA256.HashData(Encoding.UTF8.GetBytes(e.Id))[0] * 100 / 256 < CopiesPercent) await SendAsync(e, cancel);
    }

    private async Task SendAsync(SandboxEvent e, CancellationToken cancel)
    {
        // Before the host listens, and where no secret is set, the inbox behind the door takes it.
        if (address.RootOrNull is not { } root || settings.Stripe.WebhookSecrets.Count == 0)
        {
            await inbox.EnqueueAsync([await bodies.FitAsync(new InboxMessage(e.CustomerId, e.Id, MessageKind.StripeEvent, e.Body, clock.GetUtcNow()), cancel)], cancel);
            return;
        }
        for (var attempt = 1; ; attempt++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(root, "/stripe/webhook")) { Content = new ReadOnlyMemoryContent(e.Body) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            request.Headers.TryAddWithoutValidation(StripeSignature.HeaderName, StripeSignature.Sign(e.Body.Span, settings.Stripe.WebhookSecrets[0], clock.GetUtcNow()));
            try
            {
                using var answer = await http.SendAsync(request, cancel);
                if (answer.IsSuccessStatusCode) return;
                if (attempt == Attempts || answer.StatusCode != HttpStatusCode.BadRequest)
                    throw new TransientBillingException($"The door answered {(int)answer.StatusCode} to the sandbox's event {e.Id}: {await answer.Content.ReadAsStringAsync(cancel)}");
            }
            catch (HttpRequestException fault)
            {
                throw new TransientBillingException($"The sandbox's event {e.Id} did not reach the door.", fault);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();
}
