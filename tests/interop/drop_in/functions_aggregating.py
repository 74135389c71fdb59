# SPDX-License-Identifier: Apache-2.0
"""Server functions that aggregate."""
from fedn.network.combiner.hooks.serverfunctionsbase import ServerFunctionsBase


class ServerFunctions(ServerFunctionsBase):
    def aggregate(self, previous_global, client_updates):
        return previous_global
