"""The real codec, as the virtual world takes one: messages become the frames that go over a wire, and come back."""

from tanist.election.messages import Message
from tanist.transport.codec import decode_message, encode_message
from tanist.transport.frames import LENGTH_MAX, FrameParser


class WireCodec:
    """Encodes and decodes each message as TCP links do, by a parser that sees the bytes in two pieces."""

    def encode(self, message: Message) -> bytes:
        """The frame of a message. Raises MisuseError."""
        return encode_message(message)

    def decode(self, data: bytes) -> Message:
        """The message in a frame. Raises ProtocolError, or ValueError where that is no whole frame of a known type."""
        parser = FrameParser(LENGTH_MAX)
        middle = len(data) // 2
        frames = [*parser.feed(data[:middle]), *parser.feed(data[middle:])]
        if len(frames) != 1:
            raise ValueError(f"{len(data)} bytes hold {len(frames)} frames, not one")
        message = decode_message(*frames[0])
        if message is None:
            raise ValueError(f"a frame of type {frames[0][0]} is no message")
        return message
