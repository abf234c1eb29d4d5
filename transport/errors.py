"""What can go wrong in the transport: what others did to us, and what this program did wrong, kept apart."""


class TransportError(Exception):
    """Base of all errors of the transport."""


class ProtocolError(TransportError):
    """The other side sent what the protocol does not allow. Ends its connection, and nothing else."""


class FrameTooLarge(ProtocolError):
    """The other side announced a frame above the limit. Raised before any memory is set aside for it."""


class MisuseError(TransportError):
    """This program asked for what cannot be sent: a local bug, never the fault of the other side."""


class AddressError(TransportError, ValueError):
    """A text is not the address of a peer; the message says what is wrong with it and what is expected."""


class ListenError(TransportError):
    """An address cannot be listened on: `address` as it was given, `reason` in words."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"cannot listen on {address}: {reason}")
        self.address = address
        self.reason = reason
