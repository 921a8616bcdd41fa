using System.Net;
using System.Net.Http.Headers;
using RetentionFunctions.Intake;
using RetentionFunctions.Intake.Stripe;
using RetentionFunctions.Settings;

namespace RetentionFunctions.Local.Sandbox;

/// <summary>Delivers one event of the sandbox as Stripe does: signed, to the host's own webhook.</summary>
public sealed class SandboxDoor(LocalAddress address, IInbox inbox, BodyStore bodies, RetentionSettings settings, TimeProvider clock) : IDisposable
{
    // A simulated clock may move between the signing and the door.
    private const int Attempts = 3;

    private readonly HttpClient http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(30) };

    /// <summary>Delivers one event. Null when it is durably kept; else why the door did not take it.</summary>
    public async Task<string?> TryDeliverAsync(SandboxEvent e, CancellationToken cancel = default)
    {
        // Before the host listens, and where no secret is set, the inbox behind the door takes it.
        if (address.RootOrNull is not { } root || settings.Stripe.WebhookSecrets.Count == 0)
        {
            await inbox.EnqueueAsync([await bodies.FitAsync(new InboxMessage(e.CustomerId, e.Id, MessageKind.StripeEvent, e.Body, clock.GetUtcNow()), cancel)], cancel);
            return null;
        }
        for (var attempt = 1; ; attempt++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(root, "/stripe/webhook")) { Content = new ReadOnlyMemoryContent(e.Body) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            request.Headers.TryAddWithoutValidation(StripeSignature.HeaderName, StripeSignature.Sign(e.Body.Span, settings.Stripe.WebhookSecrets[0], clock.GetUtcNow()));
            try
            {
                using var answer = await http.SendAsync(request, cancel);
                if (answer.IsSuccessStatusCode) return null;
                if (attempt == Attempts || answer.StatusCode != HttpStatusCode.BadRequest) return $"the door answered {(int)answer.StatusCode}";
            }
            catch (HttpRequestException fault)
            {
                return fault.Message;
            }
            catch (TaskCanceledException) when (!cancel.IsCancellationRequested)
            {
                return "the door did not answer within 30 seconds";
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();
}
