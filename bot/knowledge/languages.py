"""Whether an embedding model reads Chinese, Japanese and Korean: asked of the model itself.

A model that does not gives such text vectors of noise, and noise is worse than no vectors; its name and its vocabulary do not
tell. So it is shown sentences and their translations: one that reads them finds each sentence's own.
"""

import numpy as np

from bot.ports import Embedder

_TRANSLATIONS = (
    ("数据库的连接数已经用完", "The database has no free connections"),
    ("磁盘空间不足", "The disk is running out of space"),
    ("証明書の有効期限が切れました", "The certificate has expired"),
    ("메일이 발송되지 않습니다", "Mails are not being sent"),
    ("网络延迟很高", "The network latency is high"),
    ("ノードがメモリ不足です", "The node is short of memory"),
)
_ENOUGH = 5  # of six; by chance it is fewer than one in a thousand


def reads_cjk(embedder: Embedder) -> bool:
    """The model finds the translations of Chinese, Japanese and Korean sentences. Raises Unavailable."""
    theirs = np.asarray(embedder.embed([sentence for sentence, _ in _TRANSLATIONS]))
    ours = np.asarray(embedder.embed([translation for _, translation in _TRANSLATIONS]))
    found = np.argmax(theirs @ ours.T, axis=1)
    return int(np.sum(found == np.arange(len(_TRANSLATIONS)))) >= _ENOUGH
