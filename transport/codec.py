"""Messages to frames and back. One encoder, and one typed decoder a message, made once.

Old and new peers talk: an unknown type is skipped, unknown trailing fields are ignored by the decoders,
and missing trailing fields take their defaults.
"""

import msgspec

from tanist.election.messages import MESSAGES, Message
from tanist.transport.errors import MisuseError, ProtocolError
from tanist.transport.frames import encode_frame

_encoder = msgspec.msgpack.Encoder()
_codes: dict[type[Message], int] = {cls: code for code, cls in MESSAGES.items()}
_decoders: dict[int, msgspec.msgpack.Decoder[Message]] = {
    code: msgspec.msgpack.Decoder(cls) for code, cls in MESSAGES.items()
}


def encode_message(message: Message) -> bytes:
    """The frame of a message, to be given to as many links as wanted (`Link.send_frame`).

    Raises `MisuseError` when the class has no frame type, or a field holds what MessagePack cannot.
    """
    code = _codes.get(type(message))
    if code is None:
        raise MisuseError(f"{type(message).__name__} has no frame type: add it to MESSAGES")
    try:
        return encode_frame(code, _encoder.encode(message))
    except (TypeError, ValueError, OverflowError) as error:
        raise MisuseError(f"{type(message).__name__} cannot be encoded: {error}") from error


def decode_message(frame_type: int, value: bytes) -> Message | None:
    """The message of a frame, or None for a type that this version does not know.

    Raises `ProtocolError` when the value is not what its type says.
    """
    decoder = _decoders.get(frame_type)
    if decoder is None:
        return None
    try:
        return decoder.decode(value)
    # A hostile value may also nest too deep (RecursionError) or hold broken UTF-8 (UnicodeDecodeError, a ValueError).
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        name = MESSAGES[frame_type].__name__
        raise ProtocolError(f"a frame of type {frame_type} is no {name}: {error}") from error
