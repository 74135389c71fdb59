# SPDX-License-Identifier: Apache-2.0
"""Server functions that choose who trains: one of the clients, always the same."""
from fedn.network.combiner.hooks.serverfunctionsbase import ServerFunctionsBase


class ServerFunctions(ServerFunctionsBase):
    def client_selection(self, client_ids):
        return sorted(client_ids)[:1]
