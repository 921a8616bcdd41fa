using System.IO.Compression;
using Microsoft.AspNetCore.Http;

namespace RetentionFunctions.Intake;

/// <summary>Reads a request's body up to a limit, the same in both hosts: what is longer is refused before it fills the memory.</summary>
internal static class RequestBody
{
    private const int FirstBytes = 16 * 1024;

    /// <summary>The body, or null where it is longer than <paramref name="most"/> bytes (also after unpacking gzip).</summary>
    /// <exception cref="BadHttpRequestException">It says that it is gzip and is not: 400.</exception>
    public static async Task<ReadOnlyMemory<byte>?> ReadAsync(HttpRequest request, int most, CancellationToken cancel)
    {
        if (request.ContentLength > most) return null;
        var gzip = string.Equals(request.Headers.ContentEncoding, "gzip", StringComparison.OrdinalIgnoreCase);
        await using var unpacked = gzip ? new GZipStream(request.Body, CompressionMode.Decompress, leaveOpen: true) : null;
        Stream source = unpacked ?? request.Body;
        // Grows with what really comes: a length that is only told, by many who then send slowly, would fill the memory.
        var buffer = new byte[Math.Min(most + 1, Math.Min((int?)request.ContentLength + 1 ?? FirstBytes, FirstBytes))];
        var length = 0;
        while (true)
        {
            int read;
            try
            {
                read = await source.ReadAsync(buffer.AsMemory(length), cancel);
            }
            catch (InvalidDataException e)
            {
                throw new BadHttpRequestException("The header Content-Encoding says gzip, and the body is not.", StatusCodes.Status400BadRequest, e);
            }
            if (read == 0) return buffer.AsMemory(0, length);
            length += read;
            if (length > most) return null;
            if (length == buffer.Length) Array.Resize(ref buffer, Math.Min(most + 1, buffer.Length * 2));
        }
    }
}
