using System.Net;
using System.Text;

namespace RetentionFunctions.FunctionsTests;

/// <summary>A provider that answers as written down, and keeps what it was asked. An exception is thrown as the network would.</summary>
internal sealed class RecordedAnswers(params object[] answers) : HttpMessageHandler
{
    private readonly Queue<object> _answers = new(answers);

    public List<(string Method, string Path, string Body, Dictionary<string, string> Headers)> Requests { get; } = [];

    public static (HttpStatusCode Status, string Body, (string, string)[] Headers) Answer(int status, string body = "", params (string, string)[] headers) => ((HttpStatusCode)status, body, headers);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Requests.Add((request.Method.Method, request.RequestUri!.PathAndQuery, request.Content is null ? "" : await request.Content.ReadAsStringAsync(cancellationToken),
            request.Headers.ToDictionary(h => h.Key, h => string.Join(',', h.Value))));
        switch (_answers.Dequeue())
        {
            case Exception e:
                throw e;
            case ValueTuple<HttpStatusCode, string, (string, string)[]> (var status, var body, var headers):
                var answer = new HttpResponseMessage(status) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
                foreach (var (name, value) in headers)
                {
                    if (answer.Headers.TryAddWithoutValidation(name, value)) continue;
                    answer.Content.Headers.Remove(name);
                    answer.Content.Headers.TryAddWithoutValidation(name, value);
                }
                return answer;
            default:
                throw new InvalidOperationException("An answer is an answer or an exception.");
        }
    }
}
